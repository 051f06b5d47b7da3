using System.Buffers.Binary;
using System.Net;
using System.Text;

namespace Angarium.Integration.Harness;

/// <summary>One span as it came: of its attributes only those of text.</summary>
internal sealed record Span(string Trace, string Parent, string Name, DateTimeOffset Start, DateTimeOffset End, IReadOnlyDictionary<string, string> Attributes);

/// <summary>
/// A collector of traces on loopback, OTLP over HTTP, that reads the few fields it needs itself (opentelemetry/proto/trace/v1/trace.proto). A task a request; what came under one lock.
/// </summary>
internal sealed class Collector : IDisposable
{
    private readonly HttpListener listener = new();
    private readonly Lock gate = new();
    private readonly List<Span> spans = [];
    private TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Collector()
    {
        Address = $"http://127.0.0.1:{Ports.Free()}/";
        listener.Prefixes.Add(Address);
        listener.Start();
        _ = ReceiveAsync();
    }

    public string Address { get; }

    public IReadOnlyList<Span> Spans
    {
        get { lock (gate) return [.. spans]; }
    }

    /// <summary>Until it is so of all that came.</summary>
    public async Task<IReadOnlyList<Span>> UntilAsync(Func<IReadOnlyList<Span>, bool> isSo, double seconds = 30)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        while (true)
        {
            Task next;
            lock (gate) next = changed.Task;
            if (Spans is var now && isSo(now)) return now;
            await next.WaitAsync(limit.Token);
        }
    }

    public void Dispose() => ((IDisposable)listener).Dispose();

    private async Task ReceiveAsync()
    {
        try
        {
            while (true)
            {
                var post = await listener.GetContextAsync();
                using var body = new MemoryStream();
                await post.Request.InputStream.CopyToAsync(body);
                if (post.Request.Url!.AbsolutePath == "/v1/traces") Take(body.ToArray());
                else post.Response.StatusCode = 404;
                post.Response.Close();
            }
        }
        catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private void Take(byte[] request)
    {
        var came = Of(request, 1).SelectMany(resource => Of(resource, 2)).SelectMany(scope => Of(scope, 2)).Select(ToSpan).ToList();
        lock (gate)
        {
            spans.AddRange(came);
            changed.TrySetResult();
            changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    private static Span ToSpan(ReadOnlyMemory<byte> span)
    {
        var attributes = Of(span, 9).ToDictionary(pair => Text(Of(pair, 1).Single()), pair => Of(pair, 2).SelectMany(value => Of(value, 1)).Select(Text).FirstOrDefault() ?? "");
        return new Span(Hex(1), Hex(4), Text(Of(span, 5).Single()), Time(7), Time(8), attributes);

        string Hex(int field) => Convert.ToHexStringLower(Of(span, field).FirstOrDefault().Span);

        DateTimeOffset Time(int field) => DateTimeOffset.UnixEpoch.AddTicks(BinaryPrimitives.ReadInt64LittleEndian(Of(span, field).Single().Span) / 100);
    }

    private static string Text(ReadOnlyMemory<byte> octets) => Encoding.UTF8.GetString(octets.Span);

    /// <summary>The values of a field, in their order; numbers of a variable length are skipped.</summary>
    private static IEnumerable<ReadOnlyMemory<byte>> Of(ReadOnlyMemory<byte> message, int wanted)
    {
        for (var at = 0; at < message.Length;)
        {
            var key = Number(message.Span, ref at);
            var length = (int)(key & 7) switch { 0 => -1, 1 => 8, 2 => (int)Number(message.Span, ref at), 5 => 4, var kind => throw new InvalidDataException($"wire type {kind}") };
            if (length < 0)
            {
                _ = Number(message.Span, ref at);
                continue;
            }

            if (key >> 3 == (ulong)wanted) yield return message.Slice(at, length);
            at += length;
        }
    }

    private static ulong Number(ReadOnlySpan<byte> octets, ref int at)
    {
        var number = 0UL;
        for (var shift = 0; ; shift += 7)
        {
            var octet = octets[at++];
            number |= (ulong)(octet & 0x7F) << shift;
            if (octet < 0x80) return number;
        }
    }
}
