using System.Net.Sockets;
using System.Text;
using Angarium.Integration.Harness;

namespace Angarium.Integration;

/// <summary>What a service manager is told, and when: ready with the listeners open, and that it stops.</summary>
public sealed class When_systemd_supervises
{
    [Fact]
    public async Task Should_say_when_it_is_ready_and_when_it_stops()
    {
        var folder = Directory.CreateTempSubdirectory("angarium-notify-");
        try
        {
            var path = Path.Combine(folder.FullName, "notify");
            using var manager = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            manager.Bind(new UnixDomainSocketEndPoint(path));
            // A child of something of that name: by that a service knows its manager.
            var shell = Path.Combine(folder.FullName, "systemd");
            File.CreateSymbolicLink(shell, "/bin/bash");
            await using var relay = new Relay([], wrapper: [shell, "-c", "\"$0\" \"$@\" & service=$!; trap 'kill -TERM $service' TERM; wait; wait $service"], environment: new() { ["NOTIFY_SOCKET"] = path });
            relay.Launch();
            Assert.Equal("READY=1", await ToldAsync(manager, relay));
            using (var client = await Client.ConnectAsync(relay.SmtpPort)) Assert.StartsWith("220 ", await client.ReplyAsync());
            relay.Process!.Signal(Signal.Terminate);
            Assert.Equal("STOPPING=1", await ToldAsync(manager, relay));
            Assert.Equal(0, await relay.Process.ExitAsync(TimeSpan.FromSeconds(60)));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<string> ToldAsync(Socket manager, Relay relay)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var buffer = new byte[256];
        var told = manager.ReceiveAsync(buffer, SocketFlags.None, limit.Token).AsTask();
        if (await Task.WhenAny(told, relay.Process!.Exited) != told) Assert.Fail($"it ended without a word: {relay.Process.Output}");
        return Encoding.ASCII.GetString(buffer, 0, await told);
    }
}
