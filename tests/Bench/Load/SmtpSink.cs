using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Angarium.Integration.Harness;

namespace Angarium.Bench.Load;

/// <summary>Postfix's smtp-sink on a loopback port: takes all, keeps nothing, counts. The count is read from the file that it writes it to.</summary>
internal sealed partial class SmtpSink : IDisposable
{
    private readonly string file;
    private readonly Child process;

    public SmtpSink(int port, string folder)
    {
        file = Path.Combine(folder, "sink-counters");
        File.WriteAllText(file, "");
        // Its counters are a line that it writes over and over.
        process = new Child("sh", ["-c", "exec \"$@\" >\"$0\"", file, Tools.Path("smtp-sink"), "-4", "-c", "-m", "1500", .. Environment.IsPrivilegedProcess ? (string[])["-u", "nobody"] : [], $"127.0.0.1:{port}", "2048"]);
    }

    public int Id => process.Id;

    /// <summary>Messages taken so far.</summary>
    public int Count()
    {
        using var counters = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        counters.Position = Math.Max(0, counters.Length - 160);
        Span<byte> tail = stackalloc byte[160];
        var text = Encoding.ASCII.GetString(tail[..counters.ReadAtLeast(tail, tail.Length, throwOnEndOfStream: false)]);
        return Messages().Matches(text) is { Count: > 0 } hits ? int.Parse(hits[^1].Groups[1].ValueSpan, CultureInfo.InvariantCulture) : 0;
    }

    public void Dispose() => process.Dispose();

    // Up to its end: the last one may be half written.
    [GeneratedRegex(@"mesg=(\d+)\s*\r")]
    private static partial Regex Messages();
}
