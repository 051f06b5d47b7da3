using System.Globalization;
using System.Runtime.InteropServices;

namespace Angarium.Bench.Machine;

/// <summary>What processes and all that descend from them have used, from /proc. Descendants that have ended count as soon as their parent has waited for them. No state.</summary>
internal static partial class ProcessTree
{
    private const int ClockTicks = 2;
    private static readonly double s_tick = 1.0 / SysConf(ClockTicks);

    /// <summary>Processor seconds, of user and system.</summary>
    public static double Cpu(IEnumerable<int> roots) => Members(roots).Sum(CpuOf);

    /// <summary>Memory in MiB, pages that processes share counted once in all.</summary>
    public static double Memory(IEnumerable<int> roots) => Members(roots).Sum(MemoryOf);

    /// <summary>Processor seconds of one process and those of its children that it has waited for.</summary>
    public static double CpuOf(int id)
    {
        try
        {
            var fields = Fields(id);
            return (Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14])) * s_tick;
        }
        catch (IOException)
        {
            return 0;
        }
    }

    private static double MemoryOf(int id)
    {
        try
        {
            var line = File.ReadLines($"/proc/{id}/smaps_rollup").First(l => l.StartsWith("Pss:", StringComparison.Ordinal));
            return Number(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]) / 1024.0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidOperationException)
        {
            return 0;
        }
    }

    private static HashSet<int> Members(IEnumerable<int> roots)
    {
        var children = new Dictionary<int, List<int>>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var id)) continue;
            try
            {
                var parent = (int)Number(Fields(id)[1]);
                if (!children.TryGetValue(parent, out var list)) children[parent] = list = [];
                list.Add(id);
            }
            catch (IOException)
            {
                // Ended meanwhile.
            }
        }

        var found = new HashSet<int>();
        var left = new Stack<int>(roots);
        while (left.TryPop(out var id))
        {
            if (found.Add(id)) foreach (var child in children.GetValueOrDefault(id) ?? []) left.Push(child);
        }

        return found;
    }

    // Behind the name in brackets, which may hold anything: state, parent, ...
    private static string[] Fields(int id)
    {
        var text = File.ReadAllText($"/proc/{id}/stat");
        return text[(text.LastIndexOf(')') + 2)..].Split(' ');
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);

    [LibraryImport("libc", EntryPoint = "sysconf")]
    private static partial long SysConf(int name);
}
