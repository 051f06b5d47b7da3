using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Angarium.Host.Logging;

namespace Angarium.Unit.Host;

public sealed class LoggingTests
{
    private static string Write(string message, Exception? exception = null)
    {
        using var written = new MemoryStream();
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 3, 4, 5, 6, 7, 89, TimeSpan.Zero));
        using (var provider = new LineLoggerProvider(written, time))
            provider.CreateLogger("Angarium.X").Log(LogLevel.Warning, new EventId(42), message, exception, (state, _) => state);
        return Encoding.UTF8.GetString(written.ToArray());
    }

    [Fact]
    public async Task Write_OfMany_IsEachLineOnceInTheOrderOfItsWriter()
    {
        const int Lines = 5_000;
        using var written = new MemoryStream();
        using (var provider = new LineLoggerProvider(written, TimeProvider.System))
        {
            await Task.WhenAll(Enumerable.Range(0, 4).Select(writer => Task.Run(() =>
            {
                var log = provider.CreateLogger(writer.ToString(CultureInfo.InvariantCulture));
                for (var i = 0; i < Lines; i++) log.Log(LogLevel.Information, default, i, null, (state, _) => state.ToString(CultureInfo.InvariantCulture));
            })));
        }

        var lines = Encoding.UTF8.GetString(written.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split(' ')).ToLookup(l => l[^2], l => int.Parse(l[^1], CultureInfo.InvariantCulture));
        Assert.Equal(4, lines.Count);
        foreach (var writer in lines) Assert.Equal(Enumerable.Range(0, Lines), writer);
    }

    [Fact]
    public void Write_WhileTheStreamTakesNothing_WaitsAtItsBound()
    {
        using var stream = new StuckStream();
        using var writer = new LogWriter(stream);
        var line = new string('x', 1 << 20);
        var wrote = 0;
        var client = new Thread(() =>
        {
            for (; wrote < 20; wrote++) writer.Write(line, "", "");
        });
        client.Start();
        stream.Entered.Wait(TestContext.Current.CancellationToken);
        // The writer's thread is in the stream and holds no lock: the client can wait for nothing but room.
        Assert.True(SpinWait.SpinUntil(() => client.ThreadState.HasFlag(ThreadState.WaitSleepJoin), TimeSpan.FromSeconds(30)));
        Assert.InRange(Volatile.Read(ref wrote), 4, 9);
        stream.Free.Set();
        Assert.True(client.Join(TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public void Write_PlainEvent_IsOneLine() => Assert.Equal("05:06:07.089 warn: Angarium.X[42] Accepted x\n", Write("Accepted x"));

    [Fact]
    public void Write_Exception_StaysOnTheLine()
    {
        var line = Write("broke", new InvalidOperationException("first\nsecond\u001b[2J"));
        Assert.Equal(1, line.Count(c => c == '\n'));
        Assert.Contains("broke System.InvalidOperationException: first second\\u001B[2J", line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a\r\n05:06:07.089 info: forged", "a\\u000D 05:06:07.089 info: forged")]
    [InlineData("\u001b]0;title\u0007", "\\u001B]0;title\\u0007")]
    [InlineData("nul\0tab\tdel\u007fcsi\u009b", "nul\\u0000tab\\u0009del\\u007Fcsi\\u009B")]
    [InlineData("ls\u2028ps\u2029nel\u0085", "ls\\u2028ps\\u2029nel\\u0085")]
    [InlineData("\u202egpj.exe", "\\u202Egpj.exe")]
    [InlineData("ä 漢字 \ud83d\ude00", "ä 漢字 \ud83d\ude00")]
    public void Line_HostileText_IsEscaped(string text, string safe)
    {
        Assert.Equal(safe, Printable.Line(text));
        Assert.EndsWith(safe + "\n", Write(text), StringComparison.Ordinal);
    }

    [Fact]
    public void Line_LoneSurrogate_IsEscaped() => Assert.Equal("lone \\uD800 and \\uDC00", Printable.Line("lone \ud800 and \udc00"));

    /// <summary>A log that nobody reads until it is freed.</summary>
    private sealed class StuckStream : MemoryStream
    {
        public ManualResetEventSlim Entered { get; } = new();

        public ManualResetEventSlim Free { get; } = new();

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            Entered.Set();
            Free.Wait();
            base.Write(buffer);
        }

        protected override void Dispose(bool disposing)
        {
            Entered.Dispose();
            Free.Dispose();
            base.Dispose(disposing);
        }
    }
}
