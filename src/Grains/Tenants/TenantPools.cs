using Angarium.Contracts.EgressPools;
using Angarium.Grains.EgressPools;
using Angarium.Grains.Membership;
using Angarium.Spool.Documents;

namespace Angarium.Grains.Tenants;

/// <summary>
/// What this silo knows of tenants' pools: one document for all of them, read whole, so that no message costs a call. A tenant's own document is the truth; this one follows it, changed by
/// compare-and-swap by whichever silo has the tenant, and heard of by the others within seconds (<see cref="TenantPoolsWatch"/>). Any thread; what is in memory is read again after a crash.
/// </summary>
internal sealed class TenantPools(IDocumentStore documents, WorkerRegister register, IStanding standing)
{
    /// <summary>Tenants that may be in other pools than `default`: some 20 octets each in the document, 100 in memory.</summary>
    public const int MaxTenants = 50_000;

    private const string Name = "control/pools";
    private const int MaxAttempts = 20;

    private Task _last = Task.CompletedTask;
    private volatile PoolMap? _map;
    private string? _tag;

    /// <summary>Another object whenever it has changed; null = not read yet.</summary>
    public PoolMap? Current => _map;

    public bool IsFull => _map?.Count >= MaxTenants;

    /// <summary>Whether an egress process has ever served a pool of this name.</summary>
    public async Task<bool> ExistsAsync(string pool, CancellationToken cancellationToken) =>
        pool == PoolName.Default || PoolName.IsValid(pool) && await register.KnowsAsync(pool, cancellationToken);

    /// <summary>Looks whether another silo has changed it.</summary>
    public Task RefreshAsync(CancellationToken cancellationToken) => InTurnAsync(async () =>
    {
        var (hasChanged, document) = await documents.ReadIfChangedAsync(Name, _tag, cancellationToken);
        if (hasChanged || _map is null) (_map, _tag) = (document is null ? PoolMap.Empty : PoolMap.Parse(document.Content), document?.Tag);
    });

    /// <summary>From now on the tenant's mail goes out by this pool, also what is queued: at once here, within seconds from the other silos.</summary>
    /// <exception cref="IOException">Not written, or not known; or this silo may be none any more.</exception>
    public Task PutAsync(string tenant, string pool, CancellationToken cancellationToken) => InTurnAsync(async () =>
    {
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            var document = await documents.ReadAsync(Name, cancellationToken);
            var before = document is null ? PoolMap.Empty : PoolMap.Parse(document.Content);
            // A process that was frozen finds what was ordered and revoked since. After the reading: what is changed later makes the write fail.
            if (!await standing.ConfirmAsync(cancellationToken)) throw new IOException($"This silo's membership row is not confirmed: the pool of {tenant} is to be set again.");
            var after = before.With(tenant, pool);
            var tag = ReferenceEquals(after, before) ? document?.Tag : await documents.WriteAsync(Name, after.ToJson(), document?.Tag, cancellationToken);
            if (tag is null && !ReferenceEquals(after, before)) continue;
            (_map, _tag) = (after, tag);
            return;
        }

        throw new IOException($"The document {Name} was changed by others {MaxAttempts} times in a row.");
    });

    /// <summary>One at a time: what was read first must not be taken for news.</summary>
    private async Task InTurnAsync(Func<Task> work)
    {
        var mine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await Interlocked.Exchange(ref _last, mine.Task);
        try
        {
            await work();
        }
        finally
        {
            mine.SetResult();
        }
    }
}
