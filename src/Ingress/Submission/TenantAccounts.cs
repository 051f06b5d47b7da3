using System.Collections.Concurrent;
using Angarium.Contracts.Tenants;
using Angarium.Mail.Tenants;

namespace Angarium.Ingress.Submission;

/// <summary>The tenants that clients of this process have logged in as. Any thread; <see cref="RefreshAsync"/> is called by one timer every few seconds. Gone with the process.</summary>
internal sealed class TenantAccounts(IGrainFactory grains, TimeProvider time)
{
    /// <summary>How often each tenant in use is asked what has changed: so long a pause or a revoked credential may go unheard.</summary>
    public static readonly TimeSpan RefreshEvery = TimeSpan.FromSeconds(5);

    private const int AtOnce = 64;

    private readonly string _ingress = TenantName.NewPart();
    private readonly ConcurrentDictionary<string, TenantAccount> _accounts = new(StringComparer.Ordinal);

    public TenantAccount Take(TenantFacts facts)
    {
        var account = _accounts.GetOrAdd(facts.Id, static (id, all) => new TenantAccount(all.Facts, all.Self._ingress, request => all.Self.Of(id).Admit(request), all.Self.Time), (Self: this, Facts: facts));
        account.Hear(facts);
        return account;
    }

    public async Task RefreshAsync()
    {
        foreach (var some in _accounts.Values.Chunk(AtOnce))
        {
            await Task.WhenAll(some.Where(account => account.IsInUse).Select(account => account.HeartbeatAsync()));
            // Sessions and remembered credentials keep theirs in use: nobody holds this one.
            foreach (var account in some.Where(account => !account.IsInUse)) _accounts.TryRemove(account.Id, out _);
        }
    }

    private TimeProvider Time => time;

    private ITenantAdmission Of(string tenant) => grains.GetGrain<ITenantAdmission>(tenant);
}
