using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Angarium.Mail;
using StackExchange.Redis;

namespace Angarium.Grains.Index;

/// <summary>
/// The names of the index in Redis (a stored format): `&lt;cluster&gt;:{pN}:…`. The braces put a partition into one hash slot; a domain is its 16-octet hash, so
/// that no key contains text from an envelope. Pure.
/// </summary>
internal sealed class RedisKeys
{
    private readonly byte[][] _partitions;

    public RedisKeys(string cluster)
    {
        // A brace before the partition's own would move all of it into one slot.
        if (cluster.Length == 0 || cluster.AsSpan().ContainsAny("{}:"))
            throw new ArgumentException($"'{cluster}' cannot begin a key of Redis", nameof(cluster));
        _partitions = [.. Enumerable.Range(0, IQueueIndex.Partitions).Select(p => Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{cluster}:{{p{p}}}:")))];
    }

    public RedisKey Wake(int partition) => Key(partition, "wake"u8);

    public RedisKey Born(int partition) => Key(partition, "born"u8);

    /// <summary>Queued recipients of the partition: kept by the script that writes, since to count them would be to visit every domain.</summary>
    public RedisKey Count(int partition) => Key(partition, "n"u8);

    public Domain Of(string domain) => new(this, domain);

    public static byte[] Lane(Lane lane) => Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{lane.Tenant}:{(byte)lane.Class}"));

    public static Lane Lane(ReadOnlySpan<byte> text)
    {
        var colon = text.LastIndexOf((byte)':');
        return new Lane(Encoding.UTF8.GetString(text[..colon]), (MessageClass)byte.Parse(text[(colon + 1)..], CultureInfo.InvariantCulture));
    }

    private byte[] Key(int partition, ReadOnlySpan<byte> name) => [.. _partitions[partition], .. name];

    /// <summary>The keys of one domain.</summary>
    internal readonly struct Domain
    {
        private readonly RedisKeys _keys;
        private readonly byte[] _hash;

        public Domain(RedisKeys keys, string name)
        {
            _keys = keys;
            Name = name;
            _hash = new byte[16];
            BinaryPrimitives.WriteUInt128BigEndian(_hash, IndexPartition.Hash(name));
            Partition = IndexPartition.Of(name);
        }

        public string Name { get; }

        public int Partition { get; }

        public RedisKey Wake => _keys.Wake(Partition);

        public RedisKey Born => _keys.Born(Partition);

        public RedisKey Count => _keys.Count(Partition);

        public RedisKey Owner => _keys.Key(Partition, [.. "o:"u8, .. _hash]);

        public RedisKey Lanes => _keys.Key(Partition, [.. "l:"u8, .. _hash]);

        /// <summary>What the key of a queue begins with; the lane follows.</summary>
        public byte[] Queues => _keys.Key(Partition, [.. "q:"u8, .. _hash, (byte)':']);

        public RedisKey Queue(byte[] lane) => _keys.Key(Partition, [.. "q:"u8, .. _hash, (byte)':', .. lane]);
    }
}
