using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Angarium.Spool.Documents;

namespace Angarium.Grains.Inbound;

/// <summary>
/// Which domains have a document of their own: what a silo knows without reading anything, so that the mail of all others, and strangers who guess names, cost it a look into a table. Listed at
/// the start and whenever `inbound/changes` says that there is one more; in memory only. Any thread.
/// </summary>
internal sealed class InboundNames(IDocumentStore documents, TimeProvider time)
{
    /// <summary>Names that are kept, 16 octets each and what the table adds; where there are more, every domain's document is asked for.</summary>
    private const int MaxNames = 500_000;

    private const int MaxAttempts = 20;
    private const int Format = 1;
    private const string Prefix = "inbound/", Changes = Prefix + "changes";

    /// <summary>Nothing was seen for so long: there may be domains that this silo has not heard of.</summary>
    private static readonly TimeSpan s_trusted = TimeSpan.FromMinutes(1);

    /// <summary>One that was entered and could not be told of is found then.</summary>
    private static readonly TimeSpan s_listEvery = TimeSpan.FromMinutes(10);

    private readonly Lock _gate = new();
    private readonly HashSet<UInt128> _names = [];
    private string? _changesTag;
    private long? _lookedAt, _listedAt;

    public static string DocumentOf(string domain) => Prefix + Key(domain).ToString("x32", CultureInfo.InvariantCulture);

    /// <summary>Nobody has entered any domain, as far as this silo has heard.</summary>
    public bool IsEmpty
    {
        get
        {
            lock (_gate) return IsTrusted && _names.Count == 0;
        }
    }

    /// <summary>False = nobody has entered this domain, as far as this silo has heard.</summary>
    public bool MayHave(string domain)
    {
        if (domain.StartsWith('[')) return false;
        lock (_gate)
        {
            if (!IsTrusted || _names.Count > MaxNames) return true;
            return _names.Count > 0 && _names.Contains(Key(domain));
        }
    }

    /// <summary>Looks for what other silos have entered: cheap when there is nothing new. Not twice at a time.</summary>
    public async Task LookAsync(CancellationToken cancellationToken)
    {
        var (hasChanged, document) = await documents.ReadIfChangedAsync(Changes, _changesTag, cancellationToken);
        if (hasChanged || _listedAt is not { } at || time.GetElapsedTime(at) >= s_listEvery)
        {
            // Listed behind that reading: what was told before it is in the list. No name ever goes.
            var names = await documents.ListAsync(Prefix, cancellationToken);
            lock (_gate)
            {
                foreach (var name in names)
                    if (UInt128.TryParse(name.AsSpan(Prefix.Length), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var key)) _names.Add(key);
            }

            if (hasChanged) _changesTag = document?.Tag;
            _listedAt = time.GetTimestamp();
        }

        lock (_gate) _lookedAt = time.GetTimestamp();
    }

    /// <summary>A document was written for this domain: this silo knows at once, the others when they look next.</summary>
    public async Task EnterAsync(string domain, CancellationToken cancellationToken)
    {
        lock (_gate) _names.Add(Key(domain));
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            var document = await documents.ReadAsync(Changes, cancellationToken);
            var count = document is null ? 0 : JsonSerializer.Deserialize(document.Content.Span, InboundJson.Default.Stored)?.Count ?? 0;
            if (await documents.WriteAsync(Changes, JsonSerializer.SerializeToUtf8Bytes(new Stored(Format, count + 1), InboundJson.Default.Stored), document?.Tag, cancellationToken) is not null) return;
        }

        throw new IOException($"{Changes} was changed by others {MaxAttempts} times in a row.");
    }

    private bool IsTrusted => _lookedAt is { } at && time.GetElapsedTime(at) < s_trusted;

    // No name of a document contains what strangers wrote.
    private static UInt128 Key(string domain)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(domain), digest);
        return BinaryPrimitives.ReadUInt128BigEndian(digest);
    }

    /// <summary>`inbound/changes` as stored: how many domains were ever entered.</summary>
    internal sealed record Stored(int Version, long Count);
}
