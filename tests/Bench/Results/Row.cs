using Angarium.Bench.Machine;

namespace Angarium.Bench.Results;

/// <summary>One measured run. Immutable.</summary>
internal sealed record Row
{
    public required string Relay { get; init; }

    public required string Shape { get; init; }

    public required int Messages { get; init; }

    /// <summary>Messages a second, from the start until the load had its last 250.</summary>
    public required double AcceptedPerSecond { get; init; }

    /// <summary>Messages a second, from the start until the sink had them all.</summary>
    public required double PerSecond { get; init; }

    /// <summary>Messages accepted and not yet at the sink when the last was accepted.</summary>
    public required int Backlog { get; init; }

    /// <summary>Processor seconds of the relay's processes per 1,000 messages; 0 = there is no relay.</summary>
    public required double CpuPerThousand { get; init; }

    /// <summary>Most memory of the relay's processes, in MiB; one look a second.</summary>
    public required double PeakMemory { get; init; }

    /// <summary>Share of the machine's processor time that was in use.</summary>
    public required double Busy { get; init; }

    /// <summary>Processor seconds of neither relay nor load nor sink: kernel threads, and whatever disturbed the run.</summary>
    public required double OtherCpu { get; init; }

    /// <summary>KiB written to the disks per message.</summary>
    public required double DiskPerMessage { get; init; }

    /// <summary>What the relay counted meanwhile; empty where it does not count.</summary>
    public IReadOnlyDictionary<string, double> Counted { get; init; } = new Dictionary<string, double>();

    public override string ToString() => string.Create(System.Globalization.CultureInfo.InvariantCulture,
        $"{Shape,-14} {Relay,-10} {PerSecond,8:f0} msg/s (accepted at {AcceptedPerSecond:f0}, {Backlog} behind)  {CpuPerThousand:f3} CPU s/1000  {PeakMemory:f0} MiB  {100 * Busy:f0} % busy, {OtherCpu:f2} s other  {DiskPerMessage:f1} KiB/msg  {CommitsText}");

    private string CommitsText => Counted.GetValueOrDefault("angarium_spool_commits_total") is > 0 and var commits
        ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Messages / commits:f1} msg/pack  {Messages / Math.Max(1, Counted.GetValueOrDefault("angarium_ledger_appends_total")):f1} msg/append{RequestsText}")
        : "";

    private string RequestsText => Requests("read") is > 0 and var reads
        ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $"  {Requests("write") / Messages:f3} writes/msg  {reads / Messages:f3} reads/msg")
        : "";

    private double Requests(string operation) => Counted
        .Where(c => c.Key.StartsWith("angarium_storage_requests_total{", StringComparison.Ordinal) && c.Key.Contains($"operation=\"{operation}\"", StringComparison.Ordinal)).Sum(c => c.Value);
}
