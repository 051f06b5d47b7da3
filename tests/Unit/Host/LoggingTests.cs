using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Angarium.Host.Logging;

namespace Angarium.Unit.Host;

public sealed class LoggingTests
{
    private static string Write(string message, Exception? exception = null)
    {
        using var written = new StringWriter();
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 3, 4, 5, 6, 7, 89, TimeSpan.Zero));
        new LineFormatter(time).Write(new LogEntry<string>(LogLevel.Warning, "Angarium.X", new EventId(42), message, exception, (state, _) => state), null, written);
        return written.ToString();
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
}
