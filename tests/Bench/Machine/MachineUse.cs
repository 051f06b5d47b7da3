using System.Globalization;
using System.Text.RegularExpressions;

namespace Angarium.Bench.Machine;

/// <summary>What the whole machine has used so far: processor seconds, and what was written to its disks.</summary>
/// <param name="Busy">Processor seconds, waits for the disk and stolen ones not counted.</param>
/// <param name="Written">Octets written to disks.</param>
internal sealed partial record MachineUse(double Busy, long Written)
{
    public static int Processors => Environment.ProcessorCount;

    public static MachineUse Now()
    {
        // In hundredths of a second, whatever the kernel's own tick: user nice system idle iowait irq softirq ...
        var times = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..].Select(t => long.Parse(t, CultureInfo.InvariantCulture)).ToArray();
        var sectors = File.ReadLines("/proc/diskstats").Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Where(f => Disk().IsMatch(f[2])).Sum(f => long.Parse(f[9], CultureInfo.InvariantCulture));
        return new MachineUse((times[0] + times[1] + times[2] + times[5] + times[6]) / 100.0, sectors * 512);
    }

    /// <summary>Waits until nothing else runs, or for 20 s: what a run before has left to do must not be counted to the next.</summary>
    public static async Task WhenQuietAsync()
    {
        for (var tries = 0; tries < 20; tries++)
        {
            var before = Now().Busy;
            await Task.Delay(1000);
            if (Now().Busy - before < 0.08 * Processors) return;
        }
    }

    [GeneratedRegex(@"^((vd|sd|xvd)[a-z]+|nvme\d+n\d+)$")]
    private static partial Regex Disk();
}
