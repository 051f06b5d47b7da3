using Angarium.Spool.Verification;

namespace Angarium.Host.Commands;

/// <summary>`angarium spool verify`: reads every pack and ledger stream under `Data`, beside a running process or without one. One thread; changes nothing.</summary>
internal static class SpoolCommand
{
    private const int ExitDamaged = 1;

    public static async Task<int> VerifyAsync(string data, bool json, CancellationToken cancellationToken)
    {
        var report = await SpoolVerifier.VerifyAsync(data, null, cancellationToken);
        if (json) return QueueCommands.Print(report) is var code && report.ProblemCount > 0 ? ExitDamaged : code;
        foreach (var problem in report.Problems) await Console.Out.WriteLineAsync(problem.ToString());
        if (report.ProblemCount > report.Problems.Count) await Console.Out.WriteLineAsync($"… and {report.ProblemCount - report.Problems.Count} more");
        await Console.Out.WriteLineAsync(
            $"{report.Packs} packs with {report.Entries} entries, {report.Streams} ledger streams with {report.Records} records, {report.Bytes} octets; " +
            $"{report.TornBytes} octets of unfinished writes; {report.ProblemCount} problems");
        return report.ProblemCount > 0 ? ExitDamaged : 0;
    }
}
