using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;
using Angarium.Contracts.EgressPools;
using Angarium.Grains.Membership;
using Angarium.Mail;
using Angarium.Spool.Documents;

namespace Angarium.Grains.EgressPools;

/// <summary>
/// The workers that a pool has given permits to, and which activation of the pool is its owner (design rule 21): a document that outlives silos, changed by compare-and-swap; where all roles
/// are one process, a list that lives and dies with the process, as the workers do. Only the owner writes; whoever claims the pool has the list as it was left. Any thread.
/// </summary>
internal sealed class WorkerRegister(IDocumentStore documents, IStanding standing)
{
    private const int MaxTries = 20;

    /// <summary>Pools that there may be: whoever may poll names one.</summary>
    private const int MaxPools = 1_000;

    private const string Prefix = "pools/";

    private readonly ConcurrentDictionary<string, Stored> _here = [];

    /// <summary>Makes this activation the owner and returns the workers that the last one knew, and the number of this claim.</summary>
    /// <exception cref="IOException">It is not the owner, or may not be.</exception>
    public async Task<PoolClaim> ClaimAsync(string pool, ulong owner, StoreTime now, CancellationToken cancellationToken)
    {
        if (!standing.IsConfirmed) throw new IOException("This silo's membership row is not confirmed: it takes no pool");
        if (pool != PoolName.Default && !await KnowsAsync(pool, cancellationToken) && await CountAsync(cancellationToken) >= MaxPools)
            throw new IOException($"There are {MaxPools} egress pools already: delete documents `{Prefix}…` of those that are no more");
        PoolClaim? claim = null;
        // By the store's time, so that it rises even when the document was lost.
        await ChangeAsync(pool, before => (before ?? new Stored(1, 0, [])) with { Owner = owner, Claim = Math.Max(now.Milliseconds, (before?.Claim ?? 0) + 1) },
            after => claim = new PoolClaim(after.Workers, after.Claim), cancellationToken);
        return claim!;
    }

    /// <summary>Whether the pool was ever claimed: by whoever served it first.</summary>
    public async Task<bool> KnowsAsync(string pool, CancellationToken cancellationToken) =>
        standing.IsSoleProcess ? _here.ContainsKey(pool) : await documents.ReadAsync(Name(pool), cancellationToken) is not null;

    private async Task<int> CountAsync(CancellationToken cancellationToken) => standing.IsSoleProcess ? _here.Count : (await documents.ListAsync(Prefix, cancellationToken)).Count;

    /// <summary>False = another activation has claimed the pool since: this one ends. A document that is gone is made good: whoever claims the pool next must know of the workers.</summary>
    /// <exception cref="IOException">Not known.</exception>
    public async Task<bool> IsOwnerAsync(string pool, ulong owner, long claim, IReadOnlyCollection<string> workers, CancellationToken cancellationToken)
    {
        var stored = standing.IsSoleProcess ? _here.GetValueOrDefault(pool) : Read(await documents.ReadAsync(Name(pool), cancellationToken));
        if (stored is not null) return stored.Owner == owner;
        return await ChangeAsync(pool, before => before is null ? new Stored(1, owner, [.. workers], claim) : null, null, cancellationToken);
    }

    /// <summary>Makes the list durable; false = another activation has claimed the pool since.</summary>
    /// <exception cref="IOException">Not durable, or not known: the new workers get nothing yet.</exception>
    public Task<bool> SaveAsync(string pool, ulong owner, IReadOnlyCollection<string> workers, CancellationToken cancellationToken) =>
        ChangeAsync(pool, before => before is null || before.Owner == owner ? new Stored(1, owner, [.. workers], before?.Claim ?? 0) : null, null, cancellationToken);

    private async Task<bool> ChangeAsync(string pool, Func<Stored?, Stored?> change, Action<Stored>? changed, CancellationToken cancellationToken)
    {
        for (var tries = 0; tries < MaxTries; tries++)
        {
            var document = standing.IsSoleProcess ? null : await documents.ReadAsync(Name(pool), cancellationToken);
            if (change(standing.IsSoleProcess ? _here.GetValueOrDefault(pool) : Read(document)) is not { } after) return false;
            if (standing.IsSoleProcess) _here[pool] = after;
            else if (await documents.WriteAsync(Name(pool), JsonSerializer.SerializeToUtf8Bytes(after, RegisterJson.Default.Stored), document?.Tag, cancellationToken) is null) continue;
            changed?.Invoke(after);
            return true;
        }

        throw new IOException($"The list of workers of pool {pool} is changed by others all the time");
    }

    private static Stored? Read(Document? document)
    {
        if (document is null) return null;
        try
        {
            var stored = JsonSerializer.Deserialize(document.Content.Span, RegisterJson.Default.Stored);
            return stored is { Version: 1 } ? stored : throw new IOException($"The list of a pool's workers is of version {stored?.Version}; this version of angarium reads 1");
        }
        catch (JsonException e)
        {
            throw new IOException("The list of a pool's workers cannot be read: " + e.Message, e);
        }
    }

    private static string Name(string pool) => Prefix + Convert.ToHexStringLower(System.Text.Encoding.UTF8.GetBytes(pool));

    /// <summary>The document as stored.</summary>
    internal sealed record Stored(int Version, ulong Owner, string[] Workers, long Claim = 0);
}

/// <summary>What an activation that has claimed its pool knows. The number is greater than that of every claim before it; workers tell two activations apart by it.</summary>
internal sealed record PoolClaim(IReadOnlyList<string> Known, long Number);

/// <summary>Generated reader and writer of the document. Stateless.</summary>
[JsonSerializable(typeof(WorkerRegister.Stored))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
internal sealed partial class RegisterJson : JsonSerializerContext;
