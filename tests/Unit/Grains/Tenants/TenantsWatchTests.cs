using System.Collections.Concurrent;
using Angarium.Grains.Membership;
using Angarium.Grains.Tenants;
using Angarium.Mail.Tenants;
using Angarium.TestKit.Peers;
using Angarium.Unit.Grains.Webhooks;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Grains.Tenants;

/// <summary>Every tenant of this silo's share is woken, whatever becomes of another.</summary>
public sealed class TenantsWatchTests : ISilos
{
    private readonly ConcurrentQueue<string> _woken = new();
    private bool _isMine = true;

    [Fact]
    public async Task Pass_WakesEachOfItsShare_AlsoBehindOneThatFails()
    {
        var documents = new LockedDocuments();
        string[] tenants = [.. Enumerable.Range(0, 20).Select(_ => TenantName.NewTenant())];
        foreach (var tenant in tenants) await documents.WriteAsync("tenants/" + tenant, default, null, default);
        await documents.WriteAsync("tenants/no-tenant", default, null, default);
        using var watch = new TenantsWatch(WakeAsync, documents, this, new FakeTimeProvider(), NullLogger<TenantsWatch>.Instance);
        await watch.PassAsync(default);
        Assert.Equal(tenants.Order(), _woken.Order());
        _woken.Clear();
        _isMine = false;
        await watch.PassAsync(default);
        Assert.Empty(_woken);

        Task WakeAsync(string tenant)
        {
            _woken.Enqueue(tenant);
            return tenant == tenants[0] ? throw new TimeoutException("its silo is away") : Task.CompletedTask;
        }
    }

    public string Own => "-";

    public bool? IsAlive(string silo) => true;

    public bool IsMine(ulong item) => _isMine;
}
