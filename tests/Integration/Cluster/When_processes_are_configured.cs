using Angarium.Host.Cluster;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Orleans.Configuration;

namespace Angarium.Integration.Cluster;

/// <summary>What a silo and a client have in the end, whatever the defaults of Orleans are: the times that were measured, and bounds where Orleans has none.</summary>
public sealed class When_processes_are_configured : IAsyncLifetime
{
    private readonly TestCluster _cluster = new();
    private TestSilo _silo = null!;

    public async ValueTask InitializeAsync()
    {
        await _cluster.WithDocumentAsync();
        _silo = await _cluster.SiloAsync();
    }

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    [Fact]
    public void Should_bound_what_waits_for_an_activation_and_reject_clients_when_memory_runs_short()
    {
        var messaging = Of<SiloMessagingOptions>();
        Assert.Equal((5_000, 20_000), (messaging.MaxEnqueuedRequestsSoftLimit, messaging.MaxEnqueuedRequestsHardLimit));
        Assert.Equal((1 << 20, 32 << 20), (messaging.MaxMessageHeaderSize, messaging.MaxMessageBodySize));
        Assert.Equal((TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(10)), (messaging.ResponseTimeout, messaging.SystemResponseTimeout));
        var shedding = Of<LoadSheddingOptions>();
        Assert.Equal((true, 90, 100), (shedding.LoadSheddingEnabled, shedding.MemoryThreshold, shedding.CpuThreshold));
    }

    [Fact]
    public void Should_find_a_dead_silo_within_seconds()
    {
        var membership = Of<ClusterMembershipOptions>();
        Assert.Equal(TimeSpan.FromSeconds(1), membership.ProbeTimeout);
        Assert.Equal((TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(1)), (membership.MinProbeTimeout, membership.MaxProbeTimeout));
        Assert.Equal((3, 2), (membership.NumMissedProbesLimit, membership.NumVotesForDeathDeclaration));
        Assert.Equal((TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(5)), (membership.TableRefreshTimeout, membership.IAmAliveTablePublishTimeout));
    }

    [Fact]
    public async Task Should_show_clients_new_gateways_within_seconds()
    {
        await TestCluster.UntilAsync(() => _silo.Standing.IsConfirmed, TimeSpan.FromSeconds(20), "the silo's standing");
        var client = _cluster.Add(await TestClient.StartAsync(_cluster.Documents, _cluster.Id, "ingress"));
        var services = client.Grains.ServiceProvider;
        Assert.Equal(TimeSpan.FromSeconds(3), services.GetRequiredService<IOptions<GatewayOptions>>().Value.GatewayListRefreshPeriod);
        var messaging = services.GetRequiredService<IOptions<ClientMessagingOptions>>().Value;
        Assert.Equal((ClusterTuning.Response, ClusterTuning.MaxBody), (messaging.ResponseTimeout, messaging.MaxMessageBodySize));
    }

    private T Of<T>() where T : class => _silo.Services.GetRequiredService<IOptions<T>>().Value;
}
