using System.Collections.Concurrent;
using System.Net;
using Angarium.Grains.DomainQueues;
using Angarium.Grains.EgressPools;
using Angarium.Grains.Membership;
using Angarium.Grains.Sites;
using Angarium.Host.Cluster;
using Angarium.Integration.Harness;
using Angarium.Spool.Documents;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;

namespace Angarium.Integration.Cluster;

/// <summary>A silo of this process that a test can cut off from network and store at once, as if its process had been killed; with <see cref="ProbeGrain"/> for domain queues.</summary>
internal sealed class TestSilo : IAsyncDisposable, IFatalErrorHandler
{
    private readonly IHost _host;
    private readonly TestDocuments _documents;
    private readonly ConcurrentDictionary<ConnectionContext, bool> _connections = new();
    private volatile bool _cut;

    private TestSilo(IDocumentStore shared, string cluster, Action<ISiloBuilder>? also, ILoggerProvider? log)
    {
        _documents = new TestDocuments(shared);
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        if (log is not null) builder.Logging.SetMinimumLevel(LogLevel.Trace).AddProvider(log);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.UseOrleans(silo =>
        {
            silo.UseCluster(
                new ClusterAddress { ClusterId = cluster, SiloPort = Ports.Free(), GatewayPort = GatewayPort, Advertise = IPAddress.Loopback }, _documents, TestSecrets.Of("grains"));
            silo.Configure<GrainTypeOptions>(options =>
            {
                options.Classes.RemoveWhere(one => one == typeof(DomainQueueGrain) || one == typeof(EgressPoolGrain) || one == typeof(SiteGrain));
                options.Classes.Add(typeof(ProbeGrain));
            });
            silo.Configure<SiloConnectionOptions>(options =>
            {
                options.ConfigureSiloInboundConnection(Watch);
                options.ConfigureSiloOutboundConnection(Watch);
                options.ConfigureGatewayInboundConnection(Watch);
            });
            silo.Services.AddSingleton<IFatalErrorHandler>(this);
            also?.Invoke(silo);
        });
        _host = builder.Build();
    }

    /// <summary>Set when Orleans would have ended the process.</summary>
    public TaskCompletionSource<string> Ended { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public IServiceProvider Services => _host.Services;

    public IGrainFactory Grains => Services.GetRequiredService<IGrainFactory>();

    public SiloAddress Address => Services.GetRequiredService<ILocalSiloDetails>().SiloAddress;

    public int GatewayPort { get; } = Ports.Free();

    public string Name => Address.ToParsableString();

    /// <summary>Its connections with other silos and with clients, as they are now.</summary>
    public string[] Connections => [.. _connections.Keys.Select(connection => connection.ConnectionId)];

    /// <summary>The newest membership that it has read.</summary>
    public int Version => Services.GetRequiredService<MembershipStore>().Version;

    public IStanding Standing => Services.GetRequiredService<IStanding>();

    public static async Task<TestSilo> StartAsync(IDocumentStore shared, string cluster, Action<ISiloBuilder>? also = null, ILoggerProvider? log = null)
    {
        var silo = new TestSilo(shared, cluster, also, log);
        await silo._host.StartAsync();
        return silo;
    }

    /// <summary>As kill -9 looks to the others.</summary>
    public void Cut()
    {
        (_cut, _documents.IsCut) = (true, true);
        foreach (var connection in _connections.Keys) connection.Abort(new ConnectionAbortedException("cut"));
    }

    /// <summary>It hears the other silos, and they it; the store is away for it alone.</summary>
    public void CutFromStore() => _documents.IsCut = true;

    /// <summary>As a frozen process that goes on.</summary>
    public void Mend() => (_cut, _documents.IsCut) = (false, false);

    public async ValueTask DisposeAsync()
    {
        // One that was cut off would try for minutes to leave properly.
        using var atOnce = new CancellationTokenSource();
        if (_cut || Ended.Task.IsCompleted) await atOnce.CancelAsync();
        Mend();
        try
        {
            await _host.StopAsync(atOnce.Token);
        }
        catch (Exception)
        {
            // A silo that was cut off cannot leave.
        }

        _host.Dispose();
    }

    bool IFatalErrorHandler.IsUnexpected(Exception exception) => exception is not (AggregateException or OperationCanceledException);

    void IFatalErrorHandler.OnFatalException(object? sender, string? context, Exception? exception) => Ended.TrySetResult($"{context} {exception?.Message}");

    private void Watch(IConnectionBuilder builder) => builder.Use(next => async connection =>
    {
        if (_cut) throw new ConnectionAbortedException("cut");
        _connections[connection] = true;
        try
        {
            await next(connection);
        }
        finally
        {
            _connections.TryRemove(connection, out _);
        }
    });
}
