using Angarium.TestKit.Dialogs;

namespace Angarium.Protocol.Server;

/// <summary>All ends of data that are not CRLF.CRLF, with a second transaction behind each that a lenient server would take (CERT VU#302671).</summary>
public sealed class SmugglingTests
{
    private static readonly string[] Ends = ["", "\r", "\n", "\r\n", "\n\r", "\r\r\n", "\r\n\n", "\0\r\n", "\r\0\n"];

    public static TheoryData<string, string, Slicing> Combinations()
    {
        var all = new TheoryData<string, string, Slicing>();
        foreach (var before in Ends)
            foreach (var after in Ends)
                // Without a bare CR or LF there is nothing to refuse: the dot is content, or the end.
                if (HasBareEnd($"x{before}.{after}y"))
                    foreach (var slicing in Enum.GetValues<Slicing>()) all.Add(before, after, slicing);
        return all;
    }

    [Theory]
    [MemberData(nameof(Combinations))]
    public async Task Data_EndingInAnotherWay_IsRefusedAndNothingBehindItIsACommand(string before, string after, Slicing slicing)
    {
        using var server = new ServerUnderTest(ServerUnderTest.Options);
        var connection = new MemoryConnection();
        var session = Task.CompletedTask;

        var mismatch = await new ScriptedClient(connection, slicing, together: false).PlayAsync(
            [
                "S* 220", "C: EHLO client.example", "S* 250", "C: MAIL FROM:<>", "C: RCPT TO:<b@example.org>", "C: DATA", "S* 250", "S* 250", "S* 354",
                "C= Subject: x\\r\\n\\r\\nbody" + Escape(before) + "." + Escape(after), "C: MAIL FROM:<smuggled@client.example>", "C: RCPT TO:<c@example.org>", "C: DATA", "C: Smuggled", "C: .",
                "S~ 550 5.6.0 Bare ", "CLOSED",
            ],
            () => session = server.RunAsync(connection, ServerUnderTest.Outsider), TestContext.Current.CancellationToken);

        await session.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        Assert.Null(mismatch);
        Assert.Empty(server.Committed);
    }

    private static bool HasBareEnd(string text)
    {
        if (text.Contains("\r\n.\r\n", StringComparison.Ordinal)) return false;
        for (var i = 0; i < text.Length; i++)
            if (text[i] == '\r' && text[i + 1] != '\n' || text[i] == '\n' && text[i - 1] != '\r') return true;
        return false;
    }

    private static string Escape(string text) => text.Replace("\r", "\\r").Replace("\n", "\\n").Replace("\0", "\\x00");
}
