using System.Text.Json;
using System.Text.Json.Serialization;
using Angarium.Contracts.EgressPools;

namespace Angarium.Grains.Tenants;

/// <summary>Which egress pool each tenant's mail goes out by, of those that are not in `default`, as stored in `control/pools`. Immutable; any thread.</summary>
internal sealed class PoolMap
{
    /// <summary>The version of the document that this build reads and writes.</summary>
    private const int Format = 1;

    /// <summary>The pool of tenants that operators suspended: no pool can be named so, and nobody serves it.</summary>
    public const string Parked = "*";

    private readonly Dictionary<string, string> _pools;

    private PoolMap(Dictionary<string, string> pools) => _pools = pools;

    public static PoolMap Empty { get; } = new([]);

    public bool IsEmpty => _pools.Count == 0;

    public int Count => _pools.Count;

    /// <summary>Those that tenants are in, besides `default`.</summary>
    public IEnumerable<string> Pools => _pools.Values.Distinct();

    public string PoolOf(string tenant) => _pools.GetValueOrDefault(tenant, PoolName.Default);

    /// <summary>The same map where that is what it says.</summary>
    public PoolMap With(string tenant, string pool)
    {
        if (PoolOf(tenant) == pool) return this;
        var pools = new Dictionary<string, string>(_pools);
        if (pool == PoolName.Default) pools.Remove(tenant);
        else pools[tenant] = pool;
        return new PoolMap(pools);
    }

    /// <summary>Another map, in which these tenants are in <see cref="Parked"/>; never stored.</summary>
    public PoolMap Parking(IReadOnlyList<string> tenants)
    {
        var pools = new Dictionary<string, string>(_pools);
        foreach (var tenant in tenants) pools[tenant] = Parked;
        return new PoolMap(pools);
    }

    /// <exception cref="InvalidDataException">It is not what this build reads.</exception>
    public static PoolMap Parse(ReadOnlyMemory<byte> content)
    {
        try
        {
            using var json = JsonDocument.Parse(content);
            // The version first: what it says of the rest is clearer than the first member that this build does not know.
            if (json.RootElement is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("version", out var version) && version.GetRawText() != $"{Format}")
                throw new InvalidDataException($"The document of tenants' pools is of version {version.GetRawText()}; this version of angarium reads {Format}.");
            var stored = json.Deserialize(PoolMapJson.Default.Stored) ?? throw new InvalidDataException("The document of tenants' pools is empty.");
            var pools = new Dictionary<string, string>();
            foreach (var (pool, tenants) in stored.Pools)
            {
                if (!PoolName.IsValid(pool)) throw new InvalidDataException($"The document of tenants' pools names a pool `{pool}`, which cannot be one.");
                foreach (var tenant in tenants ?? throw new InvalidDataException($"The document of tenants' pools cannot be read: {pool} has none.")) pools[tenant] = pool;
            }

            return new PoolMap(pools);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"The document of tenants' pools cannot be read: {e.Message}", e);
        }
    }

    public byte[] ToJson()
    {
        var pools = new SortedDictionary<string, string[]>(StringComparer.Ordinal);
        foreach (var pool in _pools.GroupBy(pair => pair.Value, pair => pair.Key)) pools[pool.Key] = [.. pool.Order(StringComparer.Ordinal)];
        return JsonSerializer.SerializeToUtf8Bytes(new Stored(Format, pools), PoolMapJson.Default.Stored);
    }

    /// <summary>The document as stored.</summary>
    internal sealed record Stored(int Version, SortedDictionary<string, string[]> Pools);
}

/// <summary>Generated reader and writer of the document. An unknown member is refused: rewriting the document would lose it. Stateless.</summary>
[JsonSerializable(typeof(PoolMap.Stored))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
internal sealed partial class PoolMapJson : JsonSerializerContext;
