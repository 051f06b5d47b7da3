using System.Net;
using Angarium.Egress;
using Angarium.Egress.Pools;
using Angarium.Egress.Sessions;
using Angarium.Mail;
using Angarium.TestKit.Dialogs;
using Angarium.TestKit.Peers;

namespace Angarium.Protocol.Client;

/// <summary>Every dialog of this folder, with the peer's bytes whole, by line and by byte.</summary>
public sealed class ClientDialogTests
{
    internal static readonly EgressOptions Options = new()
    {
        Hostname = "relay.example", GreetingTimeout = TimeSpan.FromSeconds(10), EhloTimeout = TimeSpan.FromSeconds(10), MailTimeout = TimeSpan.FromSeconds(10),
        RcptTimeout = TimeSpan.FromSeconds(10), DataTimeout = TimeSpan.FromSeconds(10), BlockTimeout = TimeSpan.FromSeconds(10), DotTimeout = TimeSpan.FromSeconds(10),
        QuitTimeout = TimeSpan.FromSeconds(2),
    };

    public static TheoryData<string, Slicing> Dialogs()
    {
        var all = new TheoryData<string, Slicing>();
        foreach (var file in Directory.GetFiles(ClientDialog.Folder, "*.smtp").Order(StringComparer.Ordinal))
            foreach (var slicing in Enum.GetValues<Slicing>()) all.Add(Path.GetFileName(file), slicing);
        return all;
    }

    [Theory]
    [MemberData(nameof(Dialogs))]
    public async Task Dialog_AsWritten_EndsAsWritten(string name, Slicing slicing)
    {
        var dialog = ClientDialog.Read(name);
        await using var peer = new ScriptedPeer(slicing, null, dialog.Script);
        var feed = new MemoryFeed(dialog.Messages.Select(message => MemoryEntry.Of(message.From, message.To, message.Content, envelope => With(envelope, message.Flags))), TimeProvider.System);

        var (ended, _) = await RunAsync(peer, feed, Options);

        await peer.Finished.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        Assert.Null(peer.Mismatch);
        Assert.Equal(dialog.Outcomes, feed.Outcomes);
        Assert.Equal(dialog.Ended, ended?.Scope.ToString());
    }

    internal static async Task<(DeliveryVerdict? Ended, string? Tls)> RunAsync(
        ScriptedPeer peer, ITransactionFeed feed, EgressOptions options, Egress.Routing.NextHop? hop = null, bool withoutTls = false)
    {
        using var watch = new ConnectionWatch(TimeProvider.System);
        var target = new RouteEndPoint("peer.test", IPAddress.Loopback, peer.EndPoint.Port);
        using var session = new SmtpClientSession(
            await SmtpConnection.ConnectAsync(target, PoolAddress.OfSystem, TimeSpan.FromSeconds(10), watch, TestContext.Current.CancellationToken), options, TimeProvider.System);
        await session.OpenAsync("localhost", hop, withoutTls, _ => { });
        var ended = await session.CarryAsync(feed).WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        if (ended is null) await session.QuitAsync();
        return (ended, session.Connection.Tls);
    }

    private static Envelope With(Envelope envelope, string flags)
    {
        if (flags.Contains("utf8", StringComparison.Ordinal)) envelope = envelope with { SmtpUtf8 = true };
        if (flags.Contains("8bit", StringComparison.Ordinal)) envelope = envelope with { Body = BodyType.EightBitMime };
        if (!flags.Contains("dsn", StringComparison.Ordinal)) return envelope;
        return envelope with
        {
            Return = DsnReturn.Headers, EnvelopeId = "QQ+2B1",
            Recipients = [.. envelope.Recipients.Select(r => r with { Notify = DsnNotify.Success | DsnNotify.Failure, OriginalRecipient = "rfc822;" + r.Address })],
        };
    }
}
