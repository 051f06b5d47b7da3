using System.Globalization;
using System.Text;
using Angarium.Chaos.Accounting;
using Angarium.Chaos.Faults;
using Angarium.Chaos.Processes;
using Angarium.Chaos.Traffic;

namespace Angarium.Chaos.Running;

/// <summary>What is printed at the end of a run, and whether it was clean. One thread.</summary>
internal sealed class Report(RunOptions options, Account account, IReadOnlyList<Strike> strikes, Storm storm, Sink sink, Meters meters, Cluster cluster, int connectionsPerSite, IReadOnlyList<string> asked)
{
    private const int Shown = 20;
    private readonly StringBuilder text = new();
    private readonly List<string> faults = [];

    /// <summary>Prints and keeps it; true = clean.</summary>
    public bool Print(string folder)
    {
        Line($"\n== account of seed {options.Seed} ==");
        Line($"  sent {account.Sent} recipients: {account.Acknowledged} acknowledged, {account.Refused} refused, {account.Unknown} unanswered");
        foreach (var group in account.Refusals.GroupBy(s => s.Reply).OrderByDescending(g => g.Count()).Take(5)) Line($"    {group.Count(),5} messages  {group.Key}");
        Line($"  of those acknowledged: {account.Delivered} delivered, {account.Bounced} bounced, {account.Lost.Count} lost");
        Judge(account.Lost.Count == 0, $"{account.Lost.Count} lost", account.Lost.Select(l => $"{l.Recipient} ({l.Send.Reply}; {l.Send.Ended:HH:mm:ss.fff} by {l.Send.Ingress})"));
        foreach (var answer in asked) Line("     " + answer);
        var wrong = account.Doubled.Where(d => d.Fault is not null).ToList();
        Line($"  doubled: {account.Doubled.Count}, of which {account.Doubled.Count(d => d.First.Answered is null)} after a reply that the sink did not give; wrongly: {wrong.Count}; the relay counted {meters.Total("angarium_possible_duplicates_total")} possible");
        foreach (var group in account.Doubled.Where(d => d.Fault is null && d.First.Answered is not null).GroupBy(d => d.Excuse).OrderByDescending(g => g.Count()).Take(Shown)) Line($"    {group.Count(),5}  after {group.Key}");
        Judge(wrong.Count == 0, $"{wrong.Count} doubled wrongly", wrong.Select(d =>
            $"{d.First.Recipient} {d.First.MessageId}: dot {d.First.Dot:HH:mm:ss.fff} by {d.First.Peer}, again {d.Second.Began:HH:mm:ss.fff} by {d.Second.Peer}: {d.Fault}"));
        Judge(account.Contradicted.Count == 0, $"{account.Contradicted.Count} delivered and yet bounced", account.Contradicted);
        Judge(account.Damaged.Count == 0, $"{account.Damaged.Count} arrived damaged", account.Damaged.Select(d => $"{d.Recipient} {d.MessageId} at {d.Dot:HH:mm:ss.fff}"));
        if (account.BouncedTwice > 0) Line($"  bounced more than once: {account.BouncedTwice}");
        Line($"  longest without an arrival {account.LongestWithoutArrival.TotalSeconds:f1} s, without an acknowledgement {account.LongestWithoutAcknowledgement.TotalSeconds:f1} s");
        Line($"  longest without an arrival after the last fault {account.LongestAfterFaults.TotalSeconds:f1} s");
        Judge(account.LongestAfterFaults <= Account.Recovery, $"nothing arrived for {account.LongestAfterFaults.TotalSeconds:f0} s after the last fault", []);
        var (site, most, _) = sink.MostConnections[0];
        Line($"  most connections at once: {most} to {site} (limit {connectionsPerSite}); by process {string.Join(", ", sink.MostByPeer.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => $"{p.Key} {p.Value}"))}");
        Judge(most <= connectionsPerSite, "more connections to a site than its limit", sink.MostConnections.Where(s => s.Most > connectionsPerSite).Select(s => $"{s.Site}: {s.Most} {s.Was}"));
        Line("  faults:");
        foreach (var (kind, count) in storm.Counts.OrderBy(c => c.Key, StringComparer.Ordinal))
        {
            var own = strikes.Where(s => s.Kind == kind).ToList();
            Line($"    {count,3}  {kind,-15} {own.Sum(s => (s.End - s.Start).TotalSeconds),5:f0} s  {string.Join("; ", own.Select(s => s.Victim))}");
        }

        Judge(storm.Counts.Values.All(c => c > 0), "a fault never struck", storm.Counts.Where(c => c.Value == 0).Select(c => c.Key));
        Judge(cluster.Problems.Count == 0, "something did not start", cluster.Problems);
        Judge(storm.Failures.Count == 0, "something did not come back", storm.Failures);
        foreach (var node in cluster.All.Where(n => n.Deaths > 0)) Line($"  {node.Name} ended by itself {node.Deaths} times, last with code {node.LastCode}");
        Line($"  processor seconds of what runs now: {string.Join(", ", cluster.All.Select(n => $"{n.Name} {n.Cpu.TotalSeconds:f0}"))}");
        Line("  counted by the relay:");
        foreach (var (name, value) in meters.Matching("duplicate", "refused", "stale", "deliveries", "corrupt", "sweep", "ledger_failures", "poll_failures", "rejections")) Line($"    {value,9:f0}  {name}");
        if (faults.Count > 0) foreach (var node in cluster.All) Line(node.Tail());
        Line(faults.Count == 0 ? $"seed {options.Seed}: clean" : $"seed {options.Seed}: NOT CLEAN: {string.Join("; ", faults)} (books and logs: {folder})");
        File.WriteAllText(Path.Combine(folder, "report.txt"), text.ToString());
        return faults.Count == 0;
    }

    private void Judge(bool good, string fault, IEnumerable<string> cases)
    {
        if (good) return;
        faults.Add(fault);
        Line($"  !! {fault}:");
        foreach (var one in cases.Take(Shown)) Line("     " + one);
    }

    private void Line(FormattableString line) => Line(line.ToString(CultureInfo.InvariantCulture));

    private void Line(string line)
    {
        text.Append(line).Append('\n');
        Console.WriteLine(line);
    }
}
