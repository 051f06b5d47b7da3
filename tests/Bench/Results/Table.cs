using System.Globalization;
using System.Text;

namespace Angarium.Bench.Results;

/// <summary>Runs as a table in Markdown: one line a shape and relay, with ratios to the relay named as the base, of the same round each. No state.</summary>
internal static class Table
{
    public static string Of(IReadOnlyList<Row> rows, string baseName)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"| shape | relay | runs | messages/s | × {baseName} | CPU s per 1,000 | {baseName} ÷ | peak MiB | KiB to disk per message |\n");
        text.Append("| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
        foreach (var shape in rows.GroupBy(r => r.Shape))
        {
            var bases = shape.Where(r => r.Relay == baseName).ToList();
            foreach (var relay in shape.GroupBy(r => r.Relay))
            {
                var own = relay.ToList();
                // Of one round, so that both saw the same machine.
                string Ratio(Func<Row, Row, double> of) => own.Count == bases.Count && relay.Key != baseName ? Spread.Of(own.Zip(bases, of)).Text("0.00") : "";
                var hasCpu = own[0].CpuPerThousand > 0;
                text.Append(CultureInfo.InvariantCulture,
                    $"| {shape.Key} | {relay.Key} | {own.Count} | {Spread.Of(own.Select(r => r.PerSecond)).Text("0")} | {Ratio((o, b) => o.PerSecond / b.PerSecond)} | {(hasCpu ? Spread.Of(own.Select(r => r.CpuPerThousand)).Text("0.000") : "")} | {(hasCpu ? Ratio((o, b) => b.CpuPerThousand / o.CpuPerThousand) : "")} | {(hasCpu ? own.Max(r => r.PeakMemory).ToString("0", CultureInfo.InvariantCulture) : "")} | {Spread.Of(own.Select(r => r.DiskPerMessage)).Median:0.0} |\n");
            }
        }

        return text.ToString();
    }
}
