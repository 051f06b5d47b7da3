using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Prometheus;
using Angarium.Host.Configuration;
using Angarium.Host.Logging;
using Angarium.Host.Sink;

namespace Angarium.Host.Serving;

/// <summary>
/// One running process: puts the roles, their stores and their listeners together, starts them in order (lock, stores, silo, background work, listeners) and
/// stops them in reverse. Owns nothing that survives it.
/// </summary>
internal sealed class Relay
{
    /// <summary>Largest request on any of the HTTP listeners: none of them takes content in this version.</summary>
    private const int MaxRequestBody = 64 << 10;

    private readonly WebApplication _app;
    private readonly RelayLogging _logging;

    private Relay(WebApplication app, RelayLogging logging, Listeners listeners)
    {
        _app = app;
        _logging = logging;
        Listeners = listeners;
    }

    public Listeners Listeners { get; }

    public IServiceProvider Services => _app.Services;

    /// <exception cref="StartException">It cannot be started, in one line.</exception>
    public static Relay Build(SettingSources sources, LiveSettings live)
    {
        var options = live.Of<RelayOptions>().Current;
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { EnvironmentName = sources.Development ? Environments.Development : Environments.Production });
        var logging = new RelayLogging(live.Of<RelayOptions>());
        logging.AddTo(builder);

        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<Readiness>();
        builder.Services.AddRouting();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.ShutdownTimeout);
        live.Register(builder.Services);
        builder.Services.AddHostedService(_ => live);
        Metrics.SuppressDefaultMetrics(new SuppressDefaultMetricOptions { SuppressMeters = true, SuppressEventCounters = true });

        ControlSocket.MakeFilesPrivate();
        builder.AddSiloWithoutPorts();

        var listeners = new Listeners();
        var wanted = WantedListeners(options).ToList();
        Listeners.Probe(wanted);
        var socket = ControlSocket.PathIn(options.Data);
        ControlSocket.Clear(socket);

        var sink = new SinkStore(options.SinkMessages, options.SinkOctets, TimeProvider.System);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = MaxRequestBody;
            foreach (var (setting, endPoint) in wanted)
            {
                listeners.Listen(kestrel, setting, endPoint, listener => _ = setting switch
                {
                    "Http:Listen" => listener.As(Surface.Pages),
                    "Admin:Listen" => listener.As(Surface.Admin),
                    _ => listener.UseHandler(new SinkConnectionHandler(sink, options.Hostname)),
                });
            }

            kestrel.ListenUnixSocket(socket, listener => listener.As(Surface.Control));
        });

        var app = builder.Build();
        var readiness = app.Services.GetRequiredService<Readiness>();
        app.Lifetime.ApplicationStarted.Register(() => readiness.Set(true));
        app.Lifetime.ApplicationStopping.Register(() => readiness.Set(false));
        Map(app, Surface.Admin, endpoints => endpoints.MapAdmin(readiness));
        Map(app, Surface.Pages, endpoints =>
        {
            if (options.SinkListen.Length > 0) endpoints.MapSink(sink, "");
        });
        return new Relay(app, logging, listeners);
    }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await _app.StartAsync(cancellationToken);
        _logging.Started();
    }

    public async Task WaitForEndAsync()
    {
        await _app.WaitForShutdownAsync();
        await _app.DisposeAsync();
    }

    private static IEnumerable<(string Setting, IPEndPoint EndPoint)> WantedListeners(RelayOptions options)
    {
        foreach (var (setting, text) in new[] { ("Http:Listen", options.HttpListen), ("Admin:Listen", options.AdminListen), ("Sink:Listen", options.SinkListen) })
            if (RelayOptions.TryParseEndPoint(text, out var endPoint)) yield return (setting, endPoint);
    }

    private static void Map(WebApplication app, Surface surface, Action<IEndpointRouteBuilder> map) => app.MapWhen(context => context.CameBy(surface), branch =>
    {
        branch.UseRouting();
        branch.UseEndpoints(map);
    });
}

file static class HandlerExtensions
{
    public static ListenOptions UseHandler(this ListenOptions listener, ConnectionHandler handler)
    {
        listener.Run(handler.OnConnectedAsync);
        return listener;
    }
}
