using System.Buffers.Binary;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Angarium.Chaos.Processes;

namespace Angarium.Chaos.Scenarios;

/// <summary>
/// Octets that live on a process' managed heap: a full collection is ordered through the runtime's own diagnostics socket (as a heap dump does: an event session with the keyword that collects), and
/// when it is done the gauge at `/metrics` is read. Nothing of it is in the relay. The process needs DOTNET_EnableDiagnostics=1. No state.
/// </summary>
internal static class HeapProbe
{
    private const byte EventPipe = 2, StopTracing = 1, CollectTracing2 = 3;
    private const ulong CollectKeyword = 0x800000;

    public static async Task<long> LiveAsync(Node node)
    {
        var before = await MetricAsync(node, "dotnet_collection_count_total{generation=\"2\"}");
        var session = await StartAsync(node);
        await using (session.Stream)
        {
            await Stage.UntilAsync(async () => await MetricAsync(node, "dotnet_collection_count_total{generation=\"2\"}") > before, TimeSpan.FromSeconds(60), () => $"{node.Name} did not collect");
            // Garbage made since is no part of it: the least of a few looks.
            var least = double.MaxValue;
            for (var i = 0; i < 3; i++) least = Math.Min(least, await MetricAsync(node, "dotnet_total_memory_bytes"));
            await StopAsync(node, session.Id);
            return (long)least;
        }
    }

    private static async Task<double> MetricAsync(Node node, string name)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var text = await Probes.TextAsync(node.Address, 9464, "/metrics", limit.Token);
        var line = text.Split('\n').FirstOrDefault(l => l.StartsWith(name + " ", StringComparison.Ordinal)) ?? throw new StepException($"{node.Name} has no metric {name}");
        return double.Parse(line[(name.Length + 1)..], CultureInfo.InvariantCulture);
    }

    private static async Task<(NetworkStream Stream, ulong Id)> StartAsync(Node node)
    {
        // Buffer in MiB, format of the stream, no rundown, one provider: keywords, level, name, no filter.
        var name = Encoding.Unicode.GetBytes("Microsoft-Windows-DotNETRuntime\0");
        var payload = new byte[4 + 4 + 1 + 4 + 8 + 4 + 4 + name.Length + 4];
        var rest = payload.AsSpan();
        BinaryPrimitives.WriteUInt32LittleEndian(rest, 1);
        BinaryPrimitives.WriteUInt32LittleEndian(rest[4..], 1);
        BinaryPrimitives.WriteUInt32LittleEndian(rest[9..], 1);
        BinaryPrimitives.WriteUInt64LittleEndian(rest[13..], CollectKeyword);
        BinaryPrimitives.WriteUInt32LittleEndian(rest[21..], 4);
        BinaryPrimitives.WriteUInt32LittleEndian(rest[25..], (uint)name.Length / 2);
        name.CopyTo(rest[29..]);
        var stream = await SendAsync(node, CollectTracing2, payload);
        return (stream, BinaryPrimitives.ReadUInt64LittleEndian(await AnswerAsync(stream)));
    }

    private static async Task StopAsync(Node node, ulong id)
    {
        var payload = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(payload, id);
        await using var stream = await SendAsync(node, StopTracing, payload);
        await AnswerAsync(stream);
    }

    /// <summary>`DOTNET_IPC_V1`, size, command set, command, reserved; then the payload.</summary>
    private static async Task<NetworkStream> SendAsync(Node node, byte command, byte[] payload)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(SocketOf(node)));
        var stream = new NetworkStream(socket, ownsSocket: true);
        var message = new byte[20 + payload.Length];
        "DOTNET_IPC_V1\0"u8.CopyTo(message);
        BinaryPrimitives.WriteUInt16LittleEndian(message.AsSpan(14), (ushort)message.Length);
        message[16] = EventPipe;
        message[17] = command;
        payload.CopyTo(message, 20);
        await stream.WriteAsync(message);
        return stream;
    }

    private static async Task<byte[]> AnswerAsync(NetworkStream stream)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var head = new byte[20];
        await stream.ReadExactlyAsync(head, limit.Token);
        var payload = new byte[BinaryPrimitives.ReadUInt16LittleEndian(head.AsSpan(14)) - head.Length];
        await stream.ReadExactlyAsync(payload, limit.Token);
        return head[17] == 0 && payload.Length >= 8 ? payload : throw new StepException($"the runtime answered {head[16]:x2} {head[17]:x2} {Convert.ToHexString(payload)}");
    }

    /// <summary>Named by process id and start time: ids of other namespaces may be the same.</summary>
    private static string SocketOf(Node node)
    {
        var stat = File.ReadAllText($"/proc/{node.Id}/stat");
        var started = stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[19];
        return Path.Combine(Path.GetTempPath(), $"dotnet-diagnostic-{node.Id}-{started}-socket");
    }
}
