using System.Globalization;

namespace Angarium.Ingress.Overload;

/// <summary>Octets of memory in use and octets that may be.</summary>
internal readonly record struct MemoryUse(long Used, long Limit);

/// <summary>
/// The memory of this process as the kernel judges it: the tightest limit of its control groups and the working set beneath it, without what the kernel would simply give up (a page cache that is
/// counted in makes a relay refuse mail for nothing); without a limit, its resident set and the machine's memory. And the heap as the runtime judges it. Any thread; no state.
/// </summary>
internal sealed class WorkingSet(string proc = "/proc/self/cgroup", string root = "/sys/fs/cgroup")
{
    /// <summary>What version 1 of control groups says for "none", rounded down.</summary>
    private const long NoLimit = 1L << 60;

    /// <summary>Whichever is nearer to its limit: the process, or the runtime's heap, which in a container may have three quarters of what the process has.</summary>
    public MemoryUse Read()
    {
        var mayHave = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        var heap = new MemoryUse(GC.GetTotalMemory(forceFullCollection: false), mayHave);
        var process = ReadGroups() ?? new MemoryUse(Environment.WorkingSet, mayHave);
        return (double)heap.Used / heap.Limit > (double)process.Used / process.Limit ? heap : process;
    }

    private MemoryUse? ReadGroups()
    {
        try
        {
            if (!File.Exists(proc)) return null;
            foreach (var line in File.ReadLines(proc))
            {
                // cgroups(7): hierarchy:controllers:path; 0:: is version 2.
                var parts = line.Split(':', 3);
                if (parts.Length < 3) continue;
                if (parts[1].Length == 0 && Tightest(root, parts[2], "memory.max", "memory.current", "inactive_file", "anon") is { } two) return two;
                if (parts[1].Split(',').Contains("memory") && Tightest(Path.Combine(root, "memory"), parts[2], "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", "total_rss") is { } one) return one;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A group that vanished or may not be read sets no limit that we could keep.
        }

        return null;
    }

    /// <summary>A limit may stand at any group above this one; inside a container the path may name a folder that only the host sees, and then the root is ours.</summary>
    private static MemoryUse? Tightest(string hierarchy, string path, string limitFile, string usedFile, string inactive, string anonymous)
    {
        MemoryUse? tightest = null;
        for (var relative = path.Trim('/'); ; relative = Path.GetDirectoryName(relative) ?? "")
        {
            var folder = Path.Combine(hierarchy, relative);
            if (Number(Path.Combine(folder, limitFile)) is { } limit and < NoLimit && Number(Path.Combine(folder, usedFile)) is { } used)
            {
                var stat = Stat(Path.Combine(folder, "memory.stat"), inactive, anonymous);
                var use = new MemoryUse(Math.Max(used - stat.Inactive, stat.Anonymous), limit);
                if (tightest is not { } other || Left(use) < Left(other)) tightest = use;
            }

            if (relative.Length == 0) return tightest;
        }

        static long Left(MemoryUse use) => use.Limit - use.Used;
    }

    private static long? Number(string file) =>
        File.Exists(file) && long.TryParse(File.ReadAllText(file).AsSpan().Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static (long Inactive, long Anonymous) Stat(string file, string inactive, string anonymous)
    {
        var found = (Inactive: 0L, Anonymous: 0L);
        if (!File.Exists(file)) return found;
        foreach (var line in File.ReadLines(file))
        {
            var space = line.IndexOf(' ', StringComparison.Ordinal);
            if (space < 0 || !long.TryParse(line.AsSpan(space + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number)) continue;
            if (line.AsSpan(0, space).SequenceEqual(inactive)) found.Inactive = number;
            else if (line.AsSpan(0, space).SequenceEqual(anonymous)) found.Anonymous = number;
        }

        return found;
    }
}
