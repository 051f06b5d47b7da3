using Angarium.Host.Configuration;
using Angarium.Host.Control;
using Angarium.Host.Serving;
using Angarium.Spool.Verification;

namespace Angarium.Host.Commands;

/// <summary>`angarium spool verify`: reads every pack and ledger stream under `Data`, beside a running process or without one; refuses where a cluster's stores are elsewhere. One thread; changes nothing.</summary>
internal static class SpoolCommand
{
    private const int ExitDamaged = 1;

    public static async Task<int> VerifyAsync(SettingSources sources, bool json, CancellationToken cancellationToken)
    {
        var values = SettingsCommand.Read(sources);
        if (values["Cluster:Id"]?.Text is { Length: > 0 } cluster)
            throw new CommandException($"spool verify: the stores of the cluster `{cluster}` are not under Data; its silos check them while they run, and name in their logs what is damaged (docs/operating/cluster.md).", ServeCommand.ExitBadSettings);
        var report = await SpoolVerifier.VerifyAsync(SettingsCommand.DataOf(values), null, cancellationToken);
        if (json) return QueueCommands.Print(report) is var code && report.ProblemCount > 0 ? ExitDamaged : code;
        foreach (var problem in report.Problems) await Console.Out.WriteLineAsync(problem.ToString());
        if (report.ProblemCount > report.Problems.Count) await Console.Out.WriteLineAsync($"… and {report.ProblemCount - report.Problems.Count} more");
        await Console.Out.WriteLineAsync(
            $"{report.Packs} packs with {report.Entries} entries, {report.Streams} ledger streams with {report.Records} records, {report.Bytes} octets; " +
            $"{report.TornBytes} octets of unfinished writes; {report.ProblemCount} problems");
        return report.ProblemCount > 0 ? ExitDamaged : 0;
    }
}
