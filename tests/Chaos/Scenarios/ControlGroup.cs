using System.Globalization;
using Angarium.Integration.Harness;

namespace Angarium.Chaos.Scenarios;

/// <summary>A control group for the memory of one process, of the version that the machine has, below the group of the harness. Needs root. No state of its own but the group's folder.</summary>
internal static class ControlGroup
{
    // `ip netns exec` shows a fresh /sys without control groups: the process finds its own where it would in a container.
    private const string One = """
        set -e
        mountpoint -q /sys/fs/cgroup || mount -t tmpfs none /sys/fs/cgroup
        mkdir -p /sys/fs/cgroup/memory
        mountpoint -q /sys/fs/cgroup/memory || mount -t cgroup -o memory none /sys/fs/cgroup/memory
        g=/sys/fs/cgroup/memory$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup)/angarium-scenario
        mkdir -p "$g"
        echo "$0" >"$g/memory.limit_in_bytes"
        echo 0 >"$g/cgroup.procs"
        exec "$@"
        """;

    private const string Two = """
        set -e
        mountpoint -q /sys/fs/cgroup || mount -t cgroup2 none /sys/fs/cgroup
        g=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
        grep -q memory "$g/cgroup.subtree_control" || echo +memory >"$g/cgroup.subtree_control"
        mkdir -p "$g/angarium-scenario"
        echo "$0" >"$g/angarium-scenario/memory.max"
        echo 0 >"$g/angarium-scenario/cgroup.procs"
        exec "$@"
        """;

    /// <summary>To put before a command; empty where no group can be made, with the reason.</summary>
    public static async Task<(IReadOnlyList<string> Command, string Reason)> LimitAsync(long octets)
    {
        var reason = "";
        foreach (var script in (string[])[One, Two])
        {
            string[] command = ["sh", "-c", script, octets.ToString(CultureInfo.InvariantCulture)];
            var (code, output) = await Child.RunAsync("unshare", ["--mount", "--", .. command, "true"], TimeSpan.FromSeconds(20));
            if (code == 0) return (command, "");
            reason += output.ReplaceLineEndings(" ");
        }

        return ([], reason);
    }
}
