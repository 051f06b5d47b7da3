using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Angarium.Contracts.Doctor;
using Angarium.Egress;
using Angarium.Egress.Doctor;
using Angarium.Grains.Doctor;
using Angarium.Grains.Index;
using Angarium.Host.Cluster.Tls;
using Angarium.Host.Configuration;
using Angarium.Host.Logging;
using Angarium.Host.Serving;
using Angarium.Ingress;
using Angarium.Spool;

namespace Angarium.Host.Commands;

/// <summary>`angarium doctor`: what the roles of this configuration need of the machine and the network, each looked at once, beside a running process or without one. Changes nothing but a scratch file. One thread.</summary>
internal static class DoctorCommand
{
    private static readonly TimeSpan s_slowStore = TimeSpan.FromMilliseconds(100), s_slowDisk = TimeSpan.FromMilliseconds(50), s_clockOff = TimeSpan.FromSeconds(2), s_expiresSoon = TimeSpan.FromDays(14);

    public static async Task<int> RunAsync(SettingSources sources, string? target, bool json, CancellationToken cancellationToken)
    {
        var bound = SettingBinder.Bind(SettingCatalog.All, sources.Read());
        foreach (var mistake in bound.Mistakes) await Console.Error.WriteLineAsync($"angarium: {mistake}");
        if (bound.Mistakes.Count > 0) return ServeCommand.ExitBadSettings;
        var (items, failed) = (new JsonArray(), false);
        await foreach (var finding in ExamineAsync(bound, target, cancellationToken))
        {
            failed |= finding.State == FindingState.Failed;
            if (json)
            {
                items.Add((JsonNode)new JsonObject { ["check"] = finding.Check, ["state"] = finding.State.ToString().ToLowerInvariant(), ["text"] = finding.Text, ["fix"] = finding.Fix.Length > 0 ? finding.Fix : null });
                continue;
            }

            // Each as it is found: some wait for a network.
            Console.Out.WriteLine(Printable.Line($"{finding.State.ToString().ToLowerInvariant(),-8}{finding.Check}: {finding.Text}"));
            if (finding.Fix.Length > 0) Console.Out.WriteLine(Printable.Line($"        {finding.Fix}"));
        }

        if (json) QueueCommands.Print(items);
        return failed ? 1 : 0;
    }

    private static async IAsyncEnumerable<Finding> ExamineAsync(BoundSettings bound, string? target, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var plan = new ProcessPlan(bound.Get<RelayOptions>(), bound.Get<ClusterSettings>());
        if (plan.IsAlone) yield return Disk(plan.Options.Data);
        else await foreach (var finding in StoresAsync(bound.Get<StoreSettings>(), plan.Rights, cancellationToken)) yield return finding;
        if (plan is { IsAlone: false, IsSilo: true }) await foreach (var finding in RedisDoctor.ExamineAsync(bound.Get<RedisOptions>(), cancellationToken)) yield return finding;
        if (bound.Get<ClusterSettings>().Tls is { } files) yield return ClusterCertificate(files, plan.IsSilo);
        if (plan.RunsIngress) yield return Certificate(bound.Get<IngressOptions>(), plan.Options.Hostname);
        if (plan.RunsEgress) await foreach (var finding in EgressDoctor.ExamineAsync(bound.Get<EgressOptions>(), target, cancellationToken)) yield return finding;
    }

    private static async IAsyncEnumerable<Finding> StoresAsync(StoreSettings settings, StoreRights rights, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var off = new List<TimeSpan>();
        foreach (var probe in await AzureProbe.AskAsync(settings.ToAzureOptions(), rights, TimeProvider.System, cancellationToken))
        {
            var check = "storage " + probe.Container;
            if (probe.ClockOff is { } time) off.Add(time);
            var text = Text($"answers in {probe.Latency.TotalMilliseconds:f0} ms");
            yield return probe.Trouble is { } trouble ? Finding.Failed(check, trouble, "Make keys with `angarium storage keys`, and look whether this machine reaches the account.")
                : probe.KeyEnds - DateTimeOffset.UtcNow < s_expiresSoon ? Finding.Warning(check, Text($"{text}; its key ends on {probe.KeyEnds:yyyy-MM-dd HH:mm} UTC"), "Make another with `angarium storage keys`, and start the process anew with it.")
                : probe.Latency < s_slowStore ? Finding.Ok(check, text) : Finding.Warning(check, text, "Put the processes into the region of the account: each 250 waits for it.");
        }

        if (off.Count == 0) yield break;
        off.Sort();
        var median = off[off.Count / 2];
        var told = Text($"{Math.Abs(median.TotalSeconds):f1} s {(median > TimeSpan.Zero ? "ahead of" : "behind")} the store's");
        yield return median.Duration() <= s_clockOff ? Finding.Ok("clock", told) : Finding.Warning("clock", told, "Mend the time service. The relay goes by the store's time; certificates and Received fields by this clock.");
    }

    /// <summary>A small write with its fsync, as every 250 waits for one.</summary>
    private static Finding Disk(string data)
    {
        var path = Path.Combine(Path.GetFullPath(data), $".doctor-{Environment.ProcessId}");
        try
        {
            var times = new List<TimeSpan>();
            using (var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1, FileOptions.DeleteOnClose))
            {
                for (var i = 0; i < 10; i++)
                {
                    var began = Stopwatch.GetTimestamp();
                    file.Write(new byte[4096]);
                    file.Flush(flushToDisk: true);
                    times.Add(Stopwatch.GetElapsedTime(began));
                }
            }

            times.Sort();
            var text = Text($"{data}: 4 KiB are on disk in {times[times.Count / 2].TotalMilliseconds:f1} ms, at most {times[^1].TotalMilliseconds:f1} ms");
            return times[times.Count / 2] < s_slowDisk ? Finding.Ok("disk", text) : Finding.Warning("disk", text, "Each 250 waits for that; put Data on a faster disk.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Finding.Failed("disk", $"{data} cannot be written: {e.Message}", "Run this as the user of the relay, or set Data to a folder of its own.");
        }
    }

    private static Finding ClusterCertificate(ClusterTlsFiles files, bool accepts)
    {
        const string Check = "cluster certificate";
        if (ClusterIdentity.Mistake(files, accepts) is { } mistake) return Finding.Failed(Check, mistake, "No other process of the cluster believes this one.");
        var identity = ClusterIdentity.Load(files);
        var (until, now) = (identity.Certificate.NotAfter.ToUniversalTime(), DateTimeOffset.UtcNow);
        var text = Text($"{identity.Certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false)}, good until {until:yyyy-MM-dd HH:mm} UTC");
        return identity.Flaw(now) is { } flaw ? Finding.Failed(Check, $"{text}: {flaw}", "Renew it; the files are read again by themselves.")
            : until - now.UtcDateTime < s_expiresSoon ? Finding.Warning(Check, text, "Renew it within days; the files are read again by themselves.")
            : Finding.Ok(Check, text);
    }

    private static Finding Certificate(IngressOptions ingress, string hostname)
    {
        const string Check = "certificate";
        if (ingress.TlsCertificate.Length == 0) return Finding.Warning(Check, "none is configured: STARTTLS is not offered", "Set Tls:Certificate and Tls:Key.");
        try
        {
            using var leaf = X509Certificate2.CreateFromPem(File.ReadAllText(ingress.TlsCertificate));
            var (from, until, now) = (leaf.NotBefore.ToUniversalTime(), leaf.NotAfter.ToUniversalTime(), DateTime.UtcNow);
            var text = Text($"{leaf.GetNameInfo(X509NameType.SimpleName, forIssuer: false)}, good until {until:yyyy-MM-dd HH:mm} UTC");
            if (now > until) return Finding.Failed(Check, text + ": it has expired", "Renew it; the file is read again by itself.");
            if (now < from) return Finding.Failed(Check, Text($"good from {from:yyyy-MM-dd HH:mm} UTC on only"), "Look at this machine's clock, or use another.");
            if (!leaf.MatchesHostname(hostname)) return Finding.Warning(Check, $"{text}; it is not for {hostname}", "Have one made for Hostname: clients that validate refuse this one.");
            return until - now < s_expiresSoon ? Finding.Warning(Check, text, "Renew it within days; the file is read again by itself.") : Finding.Ok(Check, text);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            return Finding.Failed(Check, $"{ingress.TlsCertificate} cannot be read: {e.Message.ReplaceLineEndings(" ")}", "Give a PEM file that this user may read.");
        }
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
