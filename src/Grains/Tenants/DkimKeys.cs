using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;
using Angarium.Mail.Dkim;
using Angarium.Spool.Documents;

namespace Angarium.Grains.Tenants;

/// <summary>
/// The private keys of tenants' domains: documents `keys/&lt;tenant&gt;/&lt;selector&gt;`, sealed, create-only, and in memory as long as they are used. One per silo; any thread. A key that is
/// not in its tenant's document is nobody's: it was made by a request that did not come to its end.
/// </summary>
internal sealed class DkimKeys(IDocumentStore documents, Func<MasterKey?> master)
{
    /// <summary>Keys that are kept ready; beyond it all are read again.</summary>
    private const int Most = 20_000;

    private readonly ConcurrentDictionary<string, PrivateKey> _ready = new(StringComparer.Ordinal);

    public bool IsAvailable => master() is not null;

    /// <summary>What a tenant's return paths are signed with; null = there is no master key.</summary>
    public byte[]? ReturnKeyOf(string tenant) => master()?.Derive("return " + tenant);

    /// <summary>Makes a key and stores it; the answer is its public side.</summary>
    /// <exception cref="InvalidOperationException">`Keys:Master` is not set.</exception>
    public async Task<DomainKey> CreateAsync(string tenant, string domain, string selector, DkimAlgorithm algorithm, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var name = Name(tenant, selector);
        var seal = Master();
        // Primes are looked for on another thread: it takes a tenth of a second and more.
        using var key = await Task.Run(() => PrivateKey.Create(algorithm), cancellationToken);
        var stored = new StoredKey(StoredKey.Format, domain, algorithm, seal.Seal(key.Secret, Bound(name, domain)));
        if (await documents.WriteAsync(name, JsonSerializer.SerializeToUtf8Bytes(stored, KeyJson.Default.StoredKey), null, cancellationToken) is null)
            throw new IOException($"{name} exists already.");
        return new DomainKey { Selector = selector, Algorithm = algorithm, Public = key.Public, Created = now };
    }

    /// <summary>Signs with one key of a tenant's domain.</summary>
    /// <exception cref="InvalidDataException">The key is gone, damaged, another domain's, or sealed by another master key.</exception>
    public async ValueTask<PrivateKey> FindAsync(string tenant, string domain, DomainKey key, CancellationToken cancellationToken)
    {
        var name = Name(tenant, key.Selector);
        if (_ready.TryGetValue(name, out var ready)) return ready;
        var document = await documents.ReadAsync(name, cancellationToken) ?? throw new InvalidDataException($"{name} is gone.");
        var stored = Read(document, name);
        if (stored.Domain != domain || stored.Algorithm != key.Algorithm) throw new InvalidDataException($"{name} is a key of {stored.Domain}, not of {domain}.");
        var found = PrivateKey.Load(key.Algorithm, Master().Open(stored.Sealed, Bound(name, domain)));
        if (_ready.Count >= Most) _ready.Clear();
        return _ready.GetOrAdd(name, found);
    }

    public async Task DeleteAsync(string tenant, string selector, CancellationToken cancellationToken)
    {
        _ready.TryRemove(Name(tenant, selector), out _);
        await documents.DeleteAsync(Name(tenant, selector), cancellationToken);
    }

    private MasterKey Master() => master() ?? throw new InvalidOperationException("Keys:Master is not set on the silos: no key can be stored.");

    private static StoredKey Read(Document document, string name)
    {
        try
        {
            return JsonSerializer.Deserialize(document.Content.Span, KeyJson.Default.StoredKey) is { Version: StoredKey.Format } stored ? stored : throw new InvalidDataException($"{name} is of a version that this version of angarium does not know.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{name} cannot be read: {e.Message}", e);
        }
    }

    private static string Name(string tenant, string selector) => $"keys/{tenant}/{selector}";

    private static string Bound(string name, string domain) => name + " " + domain;

    /// <summary>The document as stored.</summary>
    internal sealed record StoredKey(int Version, string Domain, [property: JsonConverter(typeof(JsonStringEnumConverter<DkimAlgorithm>))] DkimAlgorithm Algorithm, byte[] Sealed)
    {
        public const int Format = 1;
    }
}

/// <summary>Generated reader and writer of the document. Stateless.</summary>
[JsonSerializable(typeof(DkimKeys.StoredKey))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
internal sealed partial class KeyJson : JsonSerializerContext;
