using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Angarium.Grains.Index;

/// <summary>
/// The 16-octet hash that stands for a domain in every key, and the partition that it falls in (fixed at install: a stored format). The first half of SHA-256, since
/// strangers choose the domains: two that share a hash would share a queue and depose each other for ever. Pure.
/// </summary>
public static class IndexPartition
{
    public static readonly IReadOnlyList<int> All = [.. Enumerable.Range(0, IQueueIndex.Partitions)];

    public static UInt128 Hash(string domain) => BinaryPrimitives.ReadUInt128BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes(domain)));

    public static int Of(string domain) => (int)(Hash(domain) & 0xff);
}
