using Angarium.Mail;
using Angarium.Mail.Status;
using Angarium.Spool.Packs;
using Angarium.TestKit.Dialogs;

namespace Angarium.Protocol.Server;

/// <summary>
/// Every dialog of this folder against the real server, with the client's octets whole, by line and by byte. Head of a script: `trusted` (else an outsider), `tls` (there is a certificate),
/// `proxy` (the client is a proxy whose PROXY header is believed), `smtps` (TLS from the first octet), `submission` (port 587 or, with smtps, 465), `quota` (the tenant's is used up), `revoked` (its credentials are, with its first message), `set NAME VALUE` (a setting), `spool Full|Unavailable`, `queues full`, `together` (the server sees each write group at once
/// however it is sliced), `committed …` (each message that was stored, in order, as <see cref="ServerUnderTest.Committed"/> has it), `trace TEXT` (each message's trace fields contain it).
/// The steps are those of <see cref="ScriptedClient"/>.
/// </summary>
public sealed class ServerDialogTests
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "Server");

    public static TheoryData<string, Slicing> Dialogs()
    {
        var all = new TheoryData<string, Slicing>();
        foreach (var file in Directory.GetFiles(Folder, "*.smtp").Order(StringComparer.Ordinal))
            foreach (var slicing in Enum.GetValues<Slicing>()) all.Add(Path.GetFileName(file), slicing);
        return all;
    }

    [Theory]
    [MemberData(nameof(Dialogs))]
    public async Task Dialog_AsWritten_EndsAsWritten(string name, Slicing slicing)
    {
        var script = DialogScript.Read(Path.Combine(Folder, name), "trusted", "proxy", "tls", "smtps", "submission", "quota", "revoked", "set", "spool", "queues", "together", "committed", "trace");
        var options = ServerUnderTest.Options;
        if (Has("proxy")) options = options with { ProxyNetworks = [ServerUnderTest.Outsider, ServerUnderTest.Trusted] };
        foreach (var (_, text) in script.Head.Where(line => line.Word == "set")) options = ServerUnderTest.With(options, text.Split(' ')[0], text.Split(' ')[1]);
        using var server = new ServerUnderTest(options, hasTls: Has("tls") || Has("smtps"))
        {
            Answer = Of("spool").Select(Enum.Parse<CommitStatus>).FirstOrDefault(),
            IsOverQuota = Has("quota"),
            IsRevokedThen = Has("revoked"),
            Refusal = Has("queues") ? new Reply(451, MailStatus.NotAccepting, "Queues are full") : null,
        };
        var connection = new MemoryConnection();
        var client = new ScriptedClient(connection, slicing, Has("together"));

        // Steps before the first that expects a reply are the client's talk before the greeting: it is there when the server begins.
        var session = Task.CompletedTask;
        var mismatch = await client.PlayAsync(script.Steps, () => session = server.RunAsync(connection, Has("trusted") ? ServerUnderTest.Trusted : ServerUnderTest.Outsider, Has("smtps"), isSubmission: Has("submission")), TestContext.Current.CancellationToken);

        await session.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        Assert.Null(mismatch);
        Assert.Equal(Of("committed").Select(DialogScript.Unescape), server.Committed);
        Assert.All(server.Traces, trace => Assert.All(Of("trace"), text => Assert.Contains(text, trace, StringComparison.Ordinal)));
        Assert.Equal((0, 0), (server.Budget.Memory, server.Server.Registry.Count));

        bool Has(string word) => script.Head.Any(line => line.Word == word);
        string[] Of(string word) => [.. script.Head.Where(line => line.Word == word).Select(line => line.Text)];
    }
}
