using System.Runtime.InteropServices;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Angarium.Api.Callers;
using Angarium.Host.Configuration;
using Angarium.Ingress;

namespace Angarium.Host.Serving;

/// <summary>`angarium serve`: reads the settings, starts a <see cref="Relay"/>, says when it is ready, and ends with it. Runs once a process.</summary>
internal static class ServeCommand
{
    /// <summary>The settings are wrong: nothing was started.</summary>
    public const int ExitBadSettings = 2;

    /// <summary>It could not start, or ended badly.</summary>
    public const int ExitFailed = 1;

    public static async Task<int> RunAsync(SettingSources sources, CancellationToken cancellationToken)
    {
        if (sources.Development) sources = sources with { Made = DevelopmentCertificate.Settings(sources.Read()) };
        var bound = SettingBinder.Bind(SettingCatalog.All, sources.Read());
        if (bound.Mistakes.Count > 0)
        {
            foreach (var mistake in bound.Mistakes) await Console.Error.WriteLineAsync($"angarium: {mistake}");
            return ExitBadSettings;
        }

        var live = new LiveSettings(SettingCatalog.All, sources, bound);
        try
        {
            var relay = await Relay.BuildAsync(sources, live, cancellationToken);
            using var hangup = OnHangup(live);
            await relay.StartAsync(cancellationToken);
            live.Logger = relay.Services.GetRequiredService<ILogger<LiveSettings>>();
            var log = relay.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Angarium.Host");
            WarnOfRelayingNothing(log, bound);
            ServeLog.Ready(log, string.Join(", ", relay.Listeners.Bound.Select(one => $"{one.Setting} {one.EndPoint}")), Path.GetFullPath(bound.Get<RelayOptions>().Data));
            if (sources.Development) await Console.Out.WriteLineAsync(Greeting.Text(relay.Listeners, bound.Get<RelayOptions>(), relay.Services.GetService<DrawnKey>()?.Key));
            await relay.WaitForEndAsync();
            return 0;
        }
        catch (Exception e)
        {
            await Console.Error.WriteLineAsync($"angarium: {StartFailure.Explain(e)}");
            if (bound.Get<RelayOptions>().LogLevel <= LogLevel.Debug) await Console.Error.WriteLineAsync(e.ToString());
            return ExitFailed;
        }
    }

    private static void WarnOfRelayingNothing(ILogger log, BoundSettings bound)
    {
        var ingress = bound.Get<IngressOptions>();
        if (bound.Get<RelayOptions>().Runs("ingress") && ingress.TrustedNetworks.Count == 0 && ingress.Domains.Count == 0) ServeLog.RelaysNothing(log);
    }

    private static PosixSignalRegistration? OnHangup(LiveSettings live) => OperatingSystem.IsWindows() ? null : PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal =>
    {
        signal.Cancel = true;
        live.Reload();
    });
}
