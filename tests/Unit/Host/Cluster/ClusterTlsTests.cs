using System.IO.Pipelines;
using System.Net;
using System.Security.Authentication;
using System.Text;
using Angarium.Host.Cluster.Tls;
using Angarium.TestKit.Logging;
using Angarium.TestKit.Tls;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Host.Cluster;

/// <summary>Two processes' connections against each other over pipes: who is a member, who is not, and what is said of it. Real handshakes; the time of their limit is the test's.</summary>
public sealed class ClusterTlsTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly PrivateAuthority _authority = new("cluster"), _other = new("other");
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private readonly List<IDisposable> _made = [];

    public void Dispose() => _made.ForEach(one => one.Dispose());

    [Fact]
    public async Task Connect_BothAreMembers_OctetsGoBothWays()
    {
        var (silo, client) = (Make(new MountedSecret(_authority, "silo")), Make(new MountedSecret(_authority, "client", usages: [PrivateAuthority.ClientAuth])));
        var (heard, thrown) = await MeetAsync(silo, client);
        Assert.Null(thrown);
        Assert.True(heard);
        Assert.Empty(silo.Log.All.Concat(client.Log.All));
    }

    public static TheoryData<string, string> Strangers => new()
    {
        { "other", "is not of an authority in Cluster:Tls:Authority" }, { "expired", "is not valid now" }, { "future", "is not valid now" }, { "server", "is not for clientAuth" }, { "unspecified", "is not for clientAuth" },
    };

    [Theory, MemberData(nameof(Strangers))]
    public async Task Connect_ClientIsNoMember_IsRefusedAndBothSayWhy(string kind, string reason)
    {
        var (silo, client) = (Make(new MountedSecret(_authority, "silo")), Make(Stranger(kind)));
        var (heard, thrown) = await MeetAsync(silo, client);
        Assert.False(heard);
        Assert.IsType<AuthenticationException>(thrown);
        Assert.Contains($"its certificate (CN={kind}) {reason}", Assert.Single(silo.Log.All), StringComparison.Ordinal);
        Assert.StartsWith("Warning: A connection from 10.0.0.2:2 to this silo was refused: ", silo.Log.All[0], StringComparison.Ordinal);
        Assert.Contains("No connection to the silo 10.0.0.1:1: it does not take this process's certificate", Assert.Single(client.Log.All), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("other", "is not of an authority in Cluster:Tls:Authority")]
    [InlineData("expired", "is not valid now")]
    [InlineData("client", "is not for serverAuth")]
    public async Task Connect_SiloIsNoMember_IsNotSpokenTo(string kind, string reason)
    {
        var (silo, client) = (Make(Stranger(kind)), Make(new MountedSecret(_authority, "client")));
        var (heard, thrown) = await MeetAsync(silo, client);
        Assert.False(heard);
        Assert.Contains(reason, Assert.IsType<AuthenticationException>(thrown).Message, StringComparison.Ordinal);
        Assert.Contains($"No connection to the silo 10.0.0.1:1: its certificate (CN={kind}) {reason}", Assert.Single(client.Log.All), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Accept_PeerWithoutTls_IsRefused()
    {
        var silo = Make(new MountedSecret(_authority, "silo"));
        var (near, far) = Pair();
        var accepting = silo.Tls.AcceptAsync(near, _ => throw new InvalidOperationException("passed"));
        await far.Transport.Output.WriteAsync(Encoding.ASCII.GetBytes(new string('x', 100)));
        await accepting.WaitAsync(Patience);
        Assert.Contains("it does not speak TLS 1.3 as members do", Assert.Single(silo.Log.All), StringComparison.Ordinal);
    }

    /// <summary>A look whether the port is open is no reason for a line that anybody reads.</summary>
    [Fact]
    public async Task Accept_PeerLeavesAtOnce_IsNoWarning()
    {
        var silo = Make(new MountedSecret(_authority, "silo"));
        var (near, far) = Pair();
        await far.Transport.Output.CompleteAsync();
        await silo.Tls.AcceptAsync(near, _ => throw new InvalidOperationException("passed")).WaitAsync(Patience);
        Assert.StartsWith("Debug: ", Assert.Single(silo.Log.All), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Handshake_PeerIsSilent_EndsInTime(bool accepts)
    {
        var member = Make(new MountedSecret(_authority, "silo"));
        var (near, _) = Pair();
        var shaking = accepts ? member.Tls.AcceptAsync(near, _ => throw new InvalidOperationException("passed")) : member.Tls.ConnectAsync(near, _ => throw new InvalidOperationException("passed"));
        _time.Advance(ClusterTls.HandshakeLimit - TimeSpan.FromMilliseconds(1));
        Assert.False(shaking.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        if (accepts) await shaking.WaitAsync(Patience);
        else await Assert.ThrowsAsync<AuthenticationException>(() => shaking.WaitAsync(Patience));
        Assert.Contains("no handshake within 10 s", Assert.Single(member.Log.All), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refusal_OfTheSamePeerAgainAndAgain_IsSaidOnceAMinute()
    {
        var (silo, client) = (Make(new MountedSecret(_authority, "silo")), Make(Stranger("other")));
        for (var i = 0; i < 3; i++) await MeetAsync(silo, client);
        Assert.Equal((1, 1), (silo.Log.All.Length, client.Log.All.Length));
        _time.Advance(TimeSpan.FromMinutes(1));
        await MeetAsync(silo, client);
        Assert.Equal((2, 2), (silo.Log.All.Length, client.Log.All.Length));
    }

    /// <summary>As cert-manager does it: the bundle first, so that both authorities are believed, then the certificates, then the old authority goes.</summary>
    [Fact]
    public async Task Refresh_NewAuthorityAndCertificates_TakeOverWithoutARestart()
    {
        var (one, two) = (new MountedSecret(_authority, "one"), new MountedSecret(_authority, "two"));
        var (silo, client) = (Make(one), Make(two));
        Assert.Null((await MeetAsync(silo, client)).Thrown);
        one.Write(_authority.Issue("one"), _authority.Pem + _other.Pem);
        two.Write(_other.Issue("two"), _authority.Pem + _other.Pem);
        // Not looked at yet: the old ones still hold.
        Assert.Null((await MeetAsync(silo, client)).Thrown);
        _time.Advance(ClusterCertificate.Every);
        Assert.Equal("CN=two", client.Certificate.Current.Certificate.Subject);
        Assert.Null((await MeetAsync(silo, client)).Thrown);
        one.Write(_other.Issue("one"), _other.Pem);
        _time.Advance(ClusterCertificate.Every);
        Assert.Null((await MeetAsync(silo, client)).Thrown);
        Assert.NotNull((await MeetAsync(silo, Make(new MountedSecret(_authority, "late", authorities: _authority.Pem + _other.Pem)))).Thrown);
    }

    [Fact]
    public async Task Refresh_BadFiles_LeaveTheOldInPlaceAndAreToldOnce()
    {
        var secret = new MountedSecret(_authority, "one");
        var silo = Make(secret);
        secret.Write((secret.Certificate, "no key"), _authority.Pem);
        for (var i = 0; i < 3; i++) _time.Advance(ClusterCertificate.Every);
        Assert.Single(silo.Files.All, line => line.StartsWith("Error: Certificate file ", StringComparison.Ordinal) && line.Contains("the old one stays", StringComparison.Ordinal));
        Assert.Null((await MeetAsync(silo, Make(new MountedSecret(_authority, "two")))).Thrown);
    }

    /// <summary>One that nobody would take does not replace one that all take; it does when that is worth no more.</summary>
    [Theory]
    [InlineData(1, 30, true)]
    [InlineData(-30, -1, true)]
    [InlineData(-1, 30, false)]
    public async Task Refresh_CertificateThatNobodyWouldTake_LeavesTheOldInPlace(double from, double to, bool hasUsages)
    {
        var secret = new MountedSecret(_authority, "one");
        var silo = Make(secret);
        secret.Write(_authority.Issue("next", from, to, hasUsages ? null : [PrivateAuthority.ServerAuth]), _authority.Pem);
        _time.Advance(ClusterCertificate.Every);
        Assert.Equal("CN=one", silo.Certificate.Current.Certificate.Subject);
        Assert.Single(silo.Files.All, line => line.Contains("the old one stays", StringComparison.Ordinal));
        Assert.Null((await MeetAsync(silo, Make(new MountedSecret(_authority, "two")))).Thrown);
    }

    [Fact]
    public void Start_CertificateHasExpired_IsSaidOnce()
    {
        var silo = Make(Stranger("expired"));
        _time.Advance(ClusterCertificate.Every);
        Assert.Single(silo.Files.All, line => line.StartsWith("Error: ", StringComparison.Ordinal) && line.Contains("has expired on", StringComparison.Ordinal));
    }

    private MountedSecret Stranger(string kind) => kind switch
    {
        "other" => new(_other, kind, authorities: _authority.Pem),
        "expired" => new(_authority, kind, -30, -1),
        "future" => new(_authority, kind, 1, 30),
        "server" => new(_authority, kind, usages: [PrivateAuthority.ServerAuth]),
        "client" => new(_authority, kind, usages: [PrivateAuthority.ClientAuth]),
        _ => new(_authority, kind, usages: []),
    };

    /// <summary>A connection from one to the other; each side sends as much as fills every buffer, and reads the other's. Whether the acceptor heard all, and what the opener threw.</summary>
    private static async Task<(bool Heard, Exception? Thrown)> MeetAsync(Member silo, Member client)
    {
        var (near, far) = Pair();
        var heard = false;
        var accepting = Task.Run(async () =>
        {
            await silo.Tls.AcceptAsync(near, async connection => heard = await TalkAsync(connection, "silo", "client"));
            // As Orleans does with a connection that is over.
            await near.Transport.Output.CompleteAsync();
            await near.Transport.Input.CompleteAsync();
        });
        var thrown = await Record.ExceptionAsync(() => Task.Run(() => client.Tls.ConnectAsync(far, async connection => Assert.True(await TalkAsync(connection, "client", "silo")))).WaitAsync(Patience));
        await far.Transport.Output.CompleteAsync();
        await far.Transport.Input.CompleteAsync();
        await accepting.WaitAsync(Patience);
        return (heard, thrown);
    }

    private static async Task<bool> TalkAsync(ConnectionContext connection, string says, string hears)
    {
        var sent = Encoding.ASCII.GetBytes(new string(says[0], 100_000));
        var sending = connection.Transport.Output.WriteAsync(sent).AsTask();
        for (long heard = 0; heard < 100_000;)
        {
            var read = await connection.Transport.Input.ReadAsync();
            foreach (var part in read.Buffer) Assert.True(part.Span.IndexOfAnyExcept((byte)hears[0]) < 0);
            heard += read.Buffer.Length;
            connection.Transport.Input.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted && heard < 100_000) return false;
        }

        await sending;
        return true;
    }

    private static (ConnectionContext Near, ConnectionContext Far) Pair()
    {
        var (there, back) = (new Pipe(), new Pipe());
        return (new DefaultConnectionContext("near") { Transport = new Ends(there.Reader, back.Writer), RemoteEndPoint = new IPEndPoint(IPAddress.Parse("10.0.0.2"), 2) },
            new DefaultConnectionContext("far") { Transport = new Ends(back.Reader, there.Writer), RemoteEndPoint = new IPEndPoint(IPAddress.Parse("10.0.0.1"), 1) });
    }

    private Member Make(MountedSecret secret)
    {
        var (files, log) = (new LogLines<ClusterCertificate>(), new LogLines<ClusterTls>());
        var certificate = new ClusterCertificate(new ClusterTlsFiles(secret.Certificate, secret.Key, secret.Authority), _time, files);
        _made.AddRange([certificate, secret]);
        return new Member(certificate, new ClusterTls(certificate, _time, log), files, log);
    }

    private sealed record Member(ClusterCertificate Certificate, ClusterTls Tls, LogLines<ClusterCertificate> Files, LogLines<ClusterTls> Log);

    private sealed record Ends(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
