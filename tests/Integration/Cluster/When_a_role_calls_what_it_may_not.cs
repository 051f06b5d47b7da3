using System.Collections.Concurrent;
using System.Reflection;
using Angarium.Contracts.Admin;
using Angarium.Contracts.DomainQueues;
using Angarium.Host.Cluster;
using Microsoft.Extensions.Logging;

namespace Angarium.Integration.Cluster;

/// <summary>Each role's secret opens its own interfaces and no others: over TCP, with the proofs and the calls that a stranger could make up. Silos call each other as ever.</summary>
public sealed class When_a_role_calls_what_it_may_not : IAsyncLifetime
{
    private readonly TestCluster _cluster = new();
    private readonly AllLines _log = new();
    private TestSilo _one = null!;

    public async ValueTask InitializeAsync()
    {
        await _cluster.WithDocumentAsync();
        _one = _cluster.Add(await TestSilo.StartAsync(_cluster.Documents, _cluster.Id, log: _log));
    }

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    [Fact]
    public async Task Should_refuse_egress_that_offers_mail_and_let_it_renew()
    {
        var egress = await ClientAsync("egress");
        Assert.NotNull(await egress.GetGrain<IDomainQueueExchange>("a.example").Renew(new RenewRequest { Worker = "w", Leases = [] }));
        await RefusedAsync("IDomainQueueIntake", () => egress.GetGrain<IDomainQueueIntake>("a.example").Offer(new Offer { Entries = [] }).AsTask());
        await RefusedAsync("IDomainQueueAdmin", () => egress.GetGrain<IDomainQueueAdmin>("a.example").Show(1));
        await RefusedAsync("IManagementGrain", () => egress.GetGrain<IManagementGrain>(0).GetHosts());
        AssertNothingShown();
    }

    [Fact]
    public async Task Should_refuse_ingress_all_but_offers()
    {
        var ingress = await ClientAsync("ingress");
        Assert.Equal(7, (await ingress.GetGrain<IDomainQueueIntake>("b.example").Offer(new Offer { Entries = [] })).Refused);
        await RefusedAsync("IDomainQueueExchange", () => ingress.GetGrain<IDomainQueueExchange>("b.example").Renew(new RenewRequest { Worker = "w", Leases = [] }).AsTask());
        await RefusedAsync("IDomainQueueAdmin", () => ingress.GetGrain<IDomainQueueAdmin>("b.example").Hold(null));
        await RefusedAsync("IManagementGrain", () => ingress.GetGrain<IManagementGrain>(0).ForceActivationCollection(TimeSpan.Zero));
    }

    /// <summary>The grain calls on what the caller may not: it does so as a silo, and sees nothing of the caller's context but in whose name the caller acts.</summary>
    [Fact]
    public async Task Should_let_a_grain_call_with_the_silos_own_proof()
    {
        _cluster.Add(await TestSilo.StartAsync(_cluster.Documents, _cluster.Id, log: _log));
        var api = await ClientAsync("api");
        RequestContext.Set("planted", "by the client");
        foreach (var i in Enumerable.Range(0, 20))
        {
            var key = $"c{i}.example";
            Assert.Equal(7, await api.GetGrain<IDomainQueueAdmin>(key).Retry(default));
            Assert.Equal("angarium.actor=system", ProbeGrain.Contexts[key]);
            Assert.Equal("angarium.actor=system", ProbeGrain.Contexts[key + "-next"]);
            await TestCluster.UntilAsync(() => ProbeGrain.Ticks.ContainsKey(key), TimeSpan.FromSeconds(10), "the tick of a grain's timer");
        }

        Assert.Equal(2, await api.GetGrain<IDomainQueueAdmin>("c0.example").Drop(default, "", false));
        RequestContext.Clear();
        await RefusedAsync("IDomainQueueIntake", () => api.GetGrain<IDomainQueueIntake>("c.example").Offer(new Offer { Entries = [] }).AsTask());
        await RefusedAsync("IManagementGrain", () => api.GetGrain<IManagementGrain>(0).GetHosts());
        Assert.DoesNotContain(_log.All, line => line.Contains("refused a call of role Grains", StringComparison.Ordinal) || line.Contains("refused a call of role None", StringComparison.Ordinal));
        AssertNothingShown();
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("ingress")]
    [InlineData("ingress ")]
    [InlineData("ingress wrong-secret-000000")]
    [InlineData("ingress egress-secret-93bc0")]
    [InlineData("postman ingress-secret-1f7a")]
    [InlineData("Ingress ingress-secret-1f7a")]
    [InlineData("ingress ingress-secret-1f7")]
    [InlineData(7)]
    public async Task Should_refuse_a_proof_that_proves_nothing(object? proof)
    {
        // It starts with a good proof, as a client that learned of the grains could, and goes on with this one.
        var forged = new Forged { Proof = TestSecrets.Of("ingress").Proof };
        var client = (await ForgedClientAsync(forged)).GetGrain<IDomainQueueIntake>("d.example");
        Assert.Equal(7, (await client.Offer(new Offer { Entries = [] })).Refused);
        forged.Proof = proof;
        await RefusedAsync("IDomainQueueIntake", () => client.Offer(new Offer { Entries = [] }).AsTask());
    }

    /// <summary>The interfaces are internal to Orleans: whoever writes to the socket does not mind. By reflection here, once with a client's proof and once with the silos', so that it could succeed.</summary>
    [Theory]
    [InlineData("egress", false)]
    [InlineData("api", false)]
    [InlineData("grains", true)]
    public async Task Should_refuse_a_call_forged_to_a_system_target_or_an_extension(string role, bool admitted)
    {
        var client = await ClientAsync(role);
        var gateway = SiloAddress.New(_one.Address.Endpoint.Address, _one.GatewayPort, _one.Address.Generation);
        foreach (var target in (SiloAddress[])[_one.Address, gateway])
        {
            await CheckAsync("ISiloControl", () => SystemTargetAsync(client, "Orleans.ISiloControl", "SiloControlType", target, "GetRuntimeStatistics"));
            await CheckAsync("IMembershipService", () => SystemTargetAsync(client, "Orleans.Runtime.IMembershipService", "MembershipServiceType", target, "Ping"));
        }

        var extension = client.GetGrain<IDomainQueueAdmin>("e.example").AsReference<Orleans.Core.Internal.IGrainManagementExtension>();
        await CheckAsync("IGrainManagementExtension", () => extension.DeactivateOnIdle().AsTask());
        AssertNothingShown();

        Task CheckAsync(string called, Func<Task> call) => admitted ? call() : RefusedAsync(called, call);
    }

    /// <summary>A wrong secret is told at once in the client's log, in a line of the relay's own (those of Orleans are not shown before the start); it waits, for whoever puts it right.</summary>
    [Fact]
    public async Task Should_keep_a_client_with_a_wrong_secret_from_starting()
    {
        var log = new AllLines();
        var wrong = new RoleSecrets(["ingress"], new Dictionary<string, string> { ["ingress"] = "not-the-secret-000" });
        using var patience = new CancellationTokenSource();
        var starting = TestClient.StartAsync(_cluster.Documents, _cluster.Id, wrong, null, log, cancellationToken: patience.Token);
        await TestCluster.UntilAsync(() => log.All.Any(line => line.StartsWith("Error Angarium.", StringComparison.Ordinal) && line.Contains("may not call", StringComparison.Ordinal)), TimeSpan.FromSeconds(20), "a line that names the trouble");
        Assert.False(starting.IsCompletedSuccessfully);
        await patience.CancelAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => starting);
        Assert.DoesNotContain(log.All, line => line.Contains("not-the-secret", StringComparison.Ordinal));
    }

    private static async Task RefusedAsync(string called, Func<Task> call)
    {
        var refused = await Assert.ThrowsAsync<UnauthorizedAccessException>(call);
        Assert.Contains(called, refused.Message, StringComparison.Ordinal);
        var text = refused.ToString();
        Assert.DoesNotContain(nameof(RoleIncomingFilter), text, StringComparison.Ordinal);
        Assert.DoesNotContain(TestSecrets.All.Values, secret => text.Contains(secret, StringComparison.Ordinal));
    }

    private static Task SystemTargetAsync(IClusterClient client, string @interface, string grainType, SiloAddress silo, string method)
    {
        var core = typeof(IClusterClient).Assembly;
        var type = core.GetType(@interface, throwOnError: true)!;
        var id = (GrainType)core.GetType("Orleans.Runtime.Constants", throwOnError: true)!.GetField(grainType)!.GetValue(null)!;
        var get = core.GetType("Orleans.IInternalGrainFactory", throwOnError: true)!.GetMethods().Single(m => m.Name == "GetSystemTarget" && m.GetParameters().Length == 2);
        var target = get.MakeGenericMethod(type).Invoke(client, [id, silo]);
        var call = type.GetMethod(method)!;
        return (Task)call.Invoke(target, [.. call.GetParameters().Select(p => p.ParameterType.IsValueType ? Activator.CreateInstance(p.ParameterType) : null)])!;
    }

    private async Task<IClusterClient> ClientAsync(string role) => _cluster.Add(await TestClient.StartAsync(_cluster.Documents, _cluster.Id, role, _log)).Grains;

    private async Task<IClusterClient> ForgedClientAsync(Forged forged) =>
        _cluster.Add(await TestClient.StartAsync(_cluster.Documents, _cluster.Id, TestSecrets.Of("ingress"), forged, _log)).Grains;

    private void AssertNothingShown()
    {
        Assert.Contains(_log.All, line => line.StartsWith("Trace ", StringComparison.Ordinal));
        Assert.DoesNotContain(_log.All, line => TestSecrets.All.Values.Any(secret => line.Contains(secret, StringComparison.Ordinal)));
    }

    private sealed class Forged : IOutgoingGrainCallFilter
    {
        public object? Proof { get; set; }

        public async Task Invoke(IOutgoingGrainCallContext context)
        {
            if (Proof is null) RequestContext.Remove(RoleSecrets.ContextKey);
            else RequestContext.Set(RoleSecrets.ContextKey, Proof);
            await context.Invoke();
        }
    }

    /// <summary>Keeps whatever anybody logs, of every level, with its exceptions.</summary>
    private sealed class AllLines : ILoggerProvider
    {
        public ConcurrentQueue<string> All { get; } = new();

        public ILogger CreateLogger(string categoryName) => new One(this, categoryName);

        public void Dispose()
        {
        }

        private sealed class One(AllLines owner, string category) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

            public bool IsEnabled(LogLevel logLevel) => true;

            public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
                owner.All.Enqueue($"{logLevel} {category}: {formatter(state, exception)} {exception}");
        }
    }
}
