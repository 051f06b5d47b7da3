using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Prometheus;
using Angarium.Api;
using Angarium.Api.Problems;
using Angarium.Contracts.Configuration;
using Angarium.Egress;
using Angarium.Contracts.Admin;
using Angarium.Grains;
using Angarium.Grains.Index;
using Angarium.Grains.Membership;
using Angarium.Grains.View;
using Angarium.Host.Configuration;
using Angarium.Host.Control;
using Angarium.Host.Logging;
using Angarium.Host.Sink;
using Angarium.Ingress;
using Angarium.Mail.Tenants;
using Angarium.Spool.Files;
using Angarium.Spool.Ledger;

namespace Angarium.Host.Serving;

/// <summary>
/// One running process: puts the roles, their stores and their listeners together, starts them in order (lock, stores, silo, background work, listeners) and
/// stops them in reverse. Owns nothing that survives it.
/// </summary>
internal sealed class Relay
{
    private readonly WebApplication _app;
    private readonly OpenStores _stores;
    private readonly RelayLogging _logging;
    private readonly IDisposable? _traces;

    private Relay(WebApplication app, OpenStores stores, RelayLogging logging, Listeners listeners)
    {
        _traces = TraceExport.Begin(app.Services.GetRequiredService<ISettings<RelayOptions>>().Current);
        _app = app;
        _stores = stores;
        _logging = logging;
        Listeners = listeners;
    }

    public Listeners Listeners { get; }

    public IServiceProvider Services => _app.Services;

    /// <exception cref="StartException">It cannot be started, in one line.</exception>
    /// <exception cref="StoreUnavailableException">The stores cannot be opened, in one line.</exception>
    public static async Task<Relay> BuildAsync(SettingSources sources, LiveSettings live, CancellationToken cancellationToken)
    {
        var options = live.Of<RelayOptions>().Current;
        var logging = new RelayLogging(live.Of<RelayOptions>());
        OpenStores? stores = null;
        try
        {
            ControlSocket.MakeFilesPrivate();
            var plan = new ProcessPlan(options, live.Of<ClusterSettings>().Current);
            stores = await OpenStores.OpenAsync(plan, live.Of<StoreSettings>().Current, logging.Loggers, cancellationToken);
            return Build(plan, sources, live, stores, logging);
        }
        catch
        {
            if (stores is not null) await stores.DisposeAsync();
            logging.Dispose();
            throw;
        }
    }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _stores.Start(_app.Services);
        try
        {
            await _app.StartAsync(cancellationToken);
        }
        catch
        {
            await EndAsync();
            throw;
        }

        _logging.Started();
    }

    public async Task WaitForEndAsync()
    {
        await _app.WaitForShutdownAsync();
        await EndAsync();
    }

    private async Task EndAsync()
    {
        await _app.DisposeAsync();
        await _stores.DisposeAsync();
        _traces?.Dispose();
        _logging.Dispose();
    }

    private static Relay Build(ProcessPlan plan, SettingSources sources, LiveSettings live, OpenStores stores, RelayLogging logging)
    {
        var options = plan.Options;
        var ingress = live.Of<IngressOptions>().Current;
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { EnvironmentName = sources.Development ? Environments.Development : Environments.Production });
        builder.Services.Replace(ServiceDescriptor.Singleton(logging.Loggers));
        builder.Services.AddSingleton(TimeProvider.System);
        RoutingServiceCollectionExtensions.AddRouting(builder.Services);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.ShutdownTimeout);
        // Tells systemd when it is ready and that it stops; elsewhere it does nothing.
        builder.Services.AddSystemd();
        live.Register(builder.Services);
        builder.Services.AddHostedService(_ => live);
        Metrics.SuppressDefaultMetrics(new SuppressDefaultMetricOptions { SuppressMeters = true, SuppressEventCounters = true });

        // Hosted services start in this order and stop in reverse; Kestrel comes last by itself.
        stores.AddTo(builder.Services);
        builder.AddCluster(plan, stores.Stores);
        if (plan.IsSilo || plan.RunsEgress) EgressServices.AddRouting(builder.Services);
        if (plan.IsSilo) builder.AddGrains(plan, stores, live.Of<RedisOptions>().Current, live.Of<TenantsOptions>().Current);
        if (plan.RunsEgress) builder.Services.AddEgress();
        if (plan.RunsIngress) builder.Services.AddIngress();
        var administrator = sources.Development ? TenantName.AdministratorPrefix + TenantName.NewSecret() : null;
        if (plan.RunsIngress) builder.Services.AddSending();
        if (plan.RunsApi) builder.Services.AddApi(administrator);

        var wanted = ListenerClashes.Wanted(options, ingress).ToList();
        Listeners.Probe([.. wanted.Select(one => (one.Setting, one.EndPoint)), .. plan.SiloListeners()]);
        var socket = ControlSocket.PathIn(options.Data);
        ControlSocket.Clear(socket);

        var listeners = new Listeners();
        var sink = new SinkStore(options.SinkMessages, options.SinkOctets, TimeProvider.System);
        // Sessions run where their octets arrive, without a hop to another thread: none of them blocks.
        builder.WebHost.UseKestrelCore().UseSockets(sockets => (sockets.Backlog, sockets.UnsafePreferInlineScheduling) = (1_024, true)).ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = BodyLimit.Least;
            foreach (var (setting, endPoint, implicitTls, isSubmission) in wanted)
            {
                listeners.Listen(kestrel, setting, endPoint, listener => _ = setting switch
                {
                    "Http:Listen" => listener.As(Surface.Pages),
                    "Admin:Listen" => listener.As(Surface.Admin),
                    "Sink:Listen" => listener.UseHandler(new SinkConnectionHandler(sink, options.Hostname)),
                    _ => listener.UseSmtp(implicitTls, isSubmission),
                });
            }

            kestrel.ListenUnixSocket(socket, listener => listener.As(Surface.Control));
        });

        var app = builder.Build();
        var readiness = new Readiness(
            app.Lifetime, app.Services.GetService<IIngressStatus>(), app.Services.GetService<EgressReadiness>(), app.Services.GetService<IStanding>(),
            app.Services.GetService<LedgerFeed>() is { } feed ? () => feed.IsRead : null);
        HostInstruments.Watch(plan, readiness, stores.Stores.Clock, TimeProvider.System);
        app.Lifetime.ApplicationStarted.Register(() =>
        {
            if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(socket, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        });
        Map(app, Surface.Admin, endpoints => endpoints.MapAdmin(readiness));
        Map(app, Surface.Control, endpoints =>
        {
            if (plan.RunsApi)
            {
                endpoints.MapControl(app.Services.GetRequiredService<IGrainFactory>(), app.Services.GetRequiredService<IQueueDirectory>(), new LedgerTrace(stores.Stores.LedgerStore));
                endpoints.MapOperatorsHere(stores.Stores.LedgerStore);
            }
            else
            {
                endpoints.MapNoControl();
            }
        });
        Map(app, Surface.Pages, endpoints =>
        {
            if (plan.RunsIngress) endpoints.MapSending(() => live.Of<IngressOptions>().Current.MaxSize);
            if (plan.RunsApi) endpoints.MapApi(stores.Stores.LedgerStore);
            if (options.SinkListen.Length > 0)
                endpoints.MapSink(sink, () => listeners.Find("Ingress:Smtp:Listen") is { } relay ? Greeting.FirstMail(Listeners.Reachable(relay)) : "");
        });
        return new Relay(app, stores, logging, listeners);
    }

    private static void Map(WebApplication app, Surface surface, Action<IEndpointRouteBuilder> map) => app.MapWhen(context => context.CameBy(surface), branch =>
    {
        if (surface is Surface.Pages or Surface.Control) branch.UseApiProblems();
        branch.UseRouting();
        branch.UseEndpoints(map);
    });
}

/// <summary>Puts a handler of plain connections on a listener of Kestrel. No state.</summary>
file static class HandlerExtensions
{
    public static ListenOptions UseHandler(this ListenOptions listener, ConnectionHandler handler)
    {
        listener.Run(handler.OnConnectedAsync);
        return listener;
    }
}
