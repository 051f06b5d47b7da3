using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Angarium.Integration.Harness;

/// <summary>
/// A network namespace of the test's own, with loopback and addresses that look public but lead nowhere: real MX delivery to port 25 without a packet leaving the
/// machine. Needs root. Removed by Dispose.
/// </summary>
internal sealed partial class Namespace : IDisposable
{
    private const int CloneNewNet = 0x40000000;

    public Namespace(params string[] addresses)
    {
        Name = $"angarium-{Environment.ProcessId}-{Random.Shared.Next(1 << 20):x}";
        Ip("netns", "add", Name);
        Ip("-n", Name, "link", "set", "lo", "up");
        foreach (var address in addresses) Ip("-n", Name, "addr", "add", address + "/32", "dev", "lo");
    }

    public string Name { get; }

    /// <summary>What to put before a command so that it runs inside.</summary>
    public string[] Wrapper => ["ip", "netns", "exec", Name];

    /// <summary>A socket belongs for life to the namespace in which its thread created it.</summary>
    public Socket CreateSocket()
    {
        Socket? socket = null;
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                using var inside = File.OpenHandle("/var/run/netns/" + Name);
                if (Enter((int)inside.DangerousGetHandle(), CloneNewNet) != 0) throw new InvalidOperationException($"setns: errno {Marshal.GetLastPInvokeError()}");
                socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        thread.Start();
        thread.Join();
        return socket ?? throw new InvalidOperationException("no socket in the namespace", failure);
    }

    public void Dispose() => Ip("netns", "delete", Name);

    private static void Ip(params string[] arguments)
    {
        var (code, output) = Child.RunAsync("ip", arguments, TimeSpan.FromSeconds(20)).GetAwaiter().GetResult();
        if (code != 0) throw new InvalidOperationException($"ip {string.Join(' ', arguments)}: {output}");
    }

    [LibraryImport("libc", EntryPoint = "setns", SetLastError = true)]
    private static partial int Enter(int descriptor, int kind);
}
