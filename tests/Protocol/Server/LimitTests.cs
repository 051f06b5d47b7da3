using System.IO.Hashing;
using Angarium.Ingress;
using Angarium.Spool.Packs;
using Angarium.TestKit.Dialogs;
using Microsoft.Extensions.Time.Testing;
using Microsoft.Win32.SafeHandles;

namespace Angarium.Protocol.Server;

/// <summary>Timeouts, the tarpit, the limits of connections and of content on disk, and the end of the role, all in the test's time.</summary>
public sealed class LimitTests : IDisposable
{
    private static readonly string[] Hello = ["S* 220", "C: EHLO client.example", "S* 250"];
    private static readonly string[] Data = ["C: MAIL FROM:<>", "C: RCPT TO:<b@example.org>", "C: DATA", "S* 250", "S* 250", "S* 354"];

    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("angarium-limits-");
    private readonly List<ServerUnderTest> _servers = [];
    private int _aborted;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        foreach (var server in _servers) server.Dispose();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Command_LaterThanTheTimeout_Is421()
    {
        var (client, session, server) = Connect(ServerUnderTest.Options);
        await client.DoAsync(Stop, Hello);
        Pass(server, 299);
        await client.DoAsync(Stop, "C: NOOP", "S* 250");
        Pass(server, 299);
        Assert.False(client.HasReplies);
        Pass(server, 2);
        await client.DoAsync(Stop, "S: 421 4.4.2 Timeout, closing", "CLOSED");
        await EndsAsync(session, server);
    }

    [Fact]
    public async Task Command_OctetByOctet_DoesNotRenewTheTime()
    {
        var (client, session, server) = Connect(ServerUnderTest.Options);
        await client.DoAsync(Stop, Hello);
        for (var i = 0; i < 3; i++)
        {
            Pass(server, 100);
            await client.DoAsync(Stop, "C= N");
        }

        Pass(server, 1);
        await client.DoAsync(Stop, "S: 421 4.4.2 Timeout, closing", "CLOSED");
        await EndsAsync(session, server);
    }

    [Theory]
    [InlineData(1000, false)]
    [InlineData(4096, true)]
    public async Task Content_IsGivenTimeForEvery4KiB(int octets, bool lives)
    {
        var (client, session, server) = Connect(ServerUnderTest.Options);
        await client.DoAsync(Stop, [.. Hello, .. Data]);
        for (var i = 0; i < 4; i++)
        {
            Pass(server, 100);
            await client.DoAsync(Stop, $"C= \\{{{octets / 16} 12345678901234\\r\\n}}");
        }

        Pass(server, 1);
        if (lives) await client.DoAsync(Stop, "C: .", "S* 250", "C: QUIT", "S* 221", "CLOSED");
        else await client.DoAsync(Stop, "S: 421 4.4.2 Timeout, closing", "CLOSED");
        await EndsAsync(session, server);
        Assert.Equal(lives ? 1 : 0, server.Committed.Count);
    }

    [Fact]
    public async Task Command_WhileConnectionsAreShort_GetsLessPatience()
    {
        var (client, session, server) = Connect(ServerUnderTest.Options with { MaxConnections = 1 });
        await client.DoAsync(Stop, Hello);
        Pass(server, 9);
        Assert.False(client.HasReplies);
        Pass(server, 2);
        await client.DoAsync(Stop, "S: 421 4.4.2 Timeout, closing", "CLOSED");
        await EndsAsync(session, server);
    }

    [Fact]
    public async Task Content_ThatCameWhileTheServerWasSlow_RenewsTheTime()
    {
        MemoryConnection? connection = null;
        var left = 1;
        var scratch = new TestScratch(_folder.FullName, async () =>
        {
            _time.Advance(TimeSpan.FromSeconds(11));
            if (left-- == 1) await connection!.Client.WriteAsync(new byte[100], Stop);
        });
        var (client, session, server) = Connect(ServerUnderTest.Options with { MaxConnections = 1 }, scratch: scratch, connection: connection = new MemoryConnection());
        await client.DoAsync(Stop, [.. Hello, .. Data, "C= \\{70000 1234567890123\\r\\n}"]);
        server.Server.Registry.Sweep();
        Assert.False(client.HasReplies);
        await client.DoAsync(Stop, "C:", "C: .", "S* 250", "C: QUIT", "S* 221", "CLOSED");
        await EndsAsync(session, server);
    }

    [Fact]
    public async Task Handshake_ThatDoesNotCome_IsCutAfterTheTimeout()
    {
        var (client, session, server) = Connect(ServerUnderTest.Options, implicitTls: true);
        await client.DoAsync(Stop, "C= \x16");
        Pass(server, 299);
        Assert.False(session.IsCompleted);
        Pass(server, 2);
        await client.DoAsync(Stop, "CLOSED");
        await EndsAsync(session, server);
    }

    [Theory]
    [InlineData("RSET")]
    [InlineData("DATA")]
    [InlineData("QUIT")]
    public async Task Replies_ThatNobodyReads_EndTheSession(string last)
    {
        var connection = new MemoryConnection(window: 1000);
        var (client, session, server) = Connect(ServerUnderTest.Options, isTrusted: true, connection: connection);
        await client.DoAsync(Stop, [.. Hello, "C: MAIL FROM:<>", "C: RCPT TO:<b@example.org>", "S* 250", "S* 250"]);
        connection.Hold();
        await client.DoAsync(Stop, "REPEAT 100 HELP", "C: " + last);
        connection.Release();
        Assert.False(session.IsCompleted);
        Pass(server, 301);
        Assert.Equal(0, _aborted);
        Pass(server, 11);
        // A session whose farewell nobody takes is cut; one that had nothing more to say than its last replies has ended.
        Assert.Equal(last == "QUIT" ? 0 : 1, _aborted);
        await EndsAsync(session, server);
    }

    [Fact]
    public async Task Errors_OfAnOutsider_AreAnsweredLateFromANumberOn()
    {
        var (client, session, server) = Connect(ServerUnderTest.Options with { SlowErrors = 2 });
        await client.DoAsync(Stop, [.. Hello, "C: BREW", "S* 500", "C: BREW", "S* 500", "C: BREW"]);
        _time.Advance(TimeSpan.FromMilliseconds(999));
        Assert.False(client.HasReplies);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        await client.DoAsync(Stop, "S* 500", "C: QUIT", "S* 221", "CLOSED");
        await EndsAsync(session, server);
    }

    [Fact]
    public async Task Errors_OfATrustedClient_AreAnsweredAtOnce()
    {
        var (client, session, server) = Connect(ServerUnderTest.Options with { SlowErrors = 1 }, isTrusted: true);
        await client.DoAsync(Stop, [.. Hello, "C: BREW", "S* 500", "C: BREW", "S* 500", "C: BREW", "S* 500", "C: QUIT", "S* 221", "CLOSED"]);
        await EndsAsync(session, server);
    }

    [Fact]
    public async Task Connections_OfOneClient_AreLimited()
    {
        var server = Server(ServerUnderTest.Options with { MaxConnectionsPerClient = 2 });
        var (first, firstEnds) = Connect(server, "192.0.2.1");
        var (second, secondEnds) = Connect(server, "::ffff:192.0.2.1");
        var (third, thirdEnds) = Connect(server, "192.0.2.1");
        await third.DoAsync(Stop, "S: 421 4.7.0 Too many connections from your address", "CLOSED");
        await thirdEnds;
        // An IPv6 client is a /64.
        var (fourth, fourthEnds) = Connect(server, "2001:db8::1");
        var (fifth, fifthEnds) = Connect(server, "2001:db8::2");
        var (sixth, sixthEnds) = Connect(server, "2001:db8::3:0:0:1");
        await sixth.DoAsync(Stop, "S* 421", "CLOSED");
        await sixthEnds;
        var (other, otherEnds) = Connect(server, "2001:db8:0:1::1");
        var trusted = Enumerable.Range(0, 3).Select(_ => Connect(server, "10.1.0.1")).ToArray();
        await first.DoAsync(Stop, "S* 220", "C: QUIT", "S* 221", "CLOSED");
        await firstEnds;
        var (again, againEnds) = Connect(server, "192.0.2.1");
        foreach (var client in (ScriptedClient[])[second, fourth, fifth, other, again, .. trusted.Select(one => one.Client)]) await client.DoAsync(Stop, "S* 220", "C: QUIT", "S* 221", "CLOSED");
        await Task.WhenAll([secondEnds, fourthEnds, fifthEnds, otherEnds, againEnds, .. trusted.Select(one => one.Session)]);
        await EndsAsync(Task.CompletedTask, server);
    }

    [Fact]
    public async Task Connections_InAll_AreLimited()
    {
        var server = Server(ServerUnderTest.Options with { MaxConnections = 1 });
        var (first, firstEnds) = Connect(server, "192.0.2.1");
        var (second, secondEnds) = Connect(server, "10.1.0.1");
        await second.DoAsync(Stop, "S: 421 4.3.2 Too many connections, try again later", "CLOSED");
        await secondEnds;
        await first.DoAsync(Stop, "S* 220", "C: QUIT", "S* 221", "CLOSED");
        await firstEnds;
        await EndsAsync(Task.CompletedTask, server);
    }

    [Fact]
    public async Task Shutdown_BetweenTransactions_Is421AtOnce()
    {
        var (client, session, server) = Connect(ServerUnderTest.Options);
        await client.DoAsync(Stop, Hello);
        Assert.Equal(0, await server.Server.Registry.DrainAsync(Stop));
        await client.DoAsync(Stop, "S: 421 4.3.2 Service is shutting down, try again later", "CLOSED");
        var (late, lateEnds) = Connect(server, "192.0.2.1");
        await late.DoAsync(Stop, "S: 421 4.3.2 Service is shutting down, try again later", "CLOSED");
        await lateEnds;
        await EndsAsync(session, server);
    }

    [Fact]
    public async Task Shutdown_InATransaction_WaitsForItsEnd()
    {
        var (client, session, server) = Connect(ServerUnderTest.Options);
        await client.DoAsync(Stop, [.. Hello, .. Data, "C: half"]);
        var drain = server.Server.Registry.DrainAsync(Stop);
        Assert.False(client.HasReplies);
        // The next transaction is refused, although it was there in time.
        await client.DoAsync(Stop, "C: .", "C: MAIL FROM:<>", "S* 250", "S: 421 4.3.2 Service is shutting down, try again later", "CLOSED");
        Assert.Equal(0, await drain);
        await EndsAsync(session, server);
        Assert.Single(server.Committed);
    }

    [Fact]
    public async Task Shutdown_AfterATransaction_EndsTheSessionAtTheNextLook()
    {
        var (client, session, server) = Connect(ServerUnderTest.Options);
        await client.DoAsync(Stop, [.. Hello, .. Data]);
        var drain = server.Server.Registry.DrainAsync(Stop);
        await client.DoAsync(Stop, "C: x", "C: .", "S* 250");
        server.Server.Registry.Sweep();
        await client.DoAsync(Stop, "S: 421 4.3.2 Service is shutting down, try again later", "CLOSED");
        Assert.Equal(0, await drain);
        await EndsAsync(session, server);
    }

    [Fact]
    public async Task Shutdown_LongerThanItsWait_CutsWhatIsLeft()
    {
        var (client, session, server) = Connect(ServerUnderTest.Options);
        await client.DoAsync(Stop, [.. Hello, .. Data]);
        using var wait = new CancellationTokenSource();
        var drain = server.Server.Registry.DrainAsync(wait.Token);
        Assert.Equal(0, _aborted);
        await wait.CancelAsync();
        Assert.Equal(1, await drain);
        Assert.Equal(1, _aborted);
        await EndsAsync(session, server);
        Assert.Empty(server.Committed);
    }

    [Fact]
    public async Task Content_BeyondTheMemoryBound_GathersOnDisk()
    {
        const int Lines = 200_000;
        var line = "1234567890123\r\n"u8.ToArray();
        var expected = new XxHash3();
        for (var i = 0; i < Lines; i++) expected.Append(line);
        ulong hash = 0;
        var (client, session, server) = Connect(ServerUnderTest.Options, scratch: new TestScratch(_folder.FullName), onCommit: message =>
        {
            hash = message.Scratch!.Hash;
            return Task.CompletedTask;
        });
        await client.DoAsync(Stop, [.. Hello, .. Data, $"REPEAT {Lines} 1234567890123"]);
        Assert.True(server.Budget.Memory <= 128 << 10, $"{server.Budget.Memory} octets of memory");
        Assert.True(server.Budget.Scratch > 2 << 20, $"{server.Budget.Scratch} octets of scratch");
        await client.DoAsync(Stop, "C: .", "S* 250", "C: QUIT", "S* 221", "CLOSED");
        await EndsAsync(session, server);
        Assert.Equal(expected.GetCurrentHashAsUInt64(), hash);
        Assert.Equal([$"<> b@example.org ({Lines * line.Length} octets)"], server.Committed);
    }

    [Fact]
    public async Task Content_WhileFourFifthsOfTheMemoryAreTaken_GathersOnDiskSooner()
    {
        var (client, session, server) = Connect(ServerUnderTest.Options with { MaxMemory = 4 << 20 }, scratch: new TestScratch(_folder.FullName));
        Assert.True(server.Budget.TryTakeMemory((4 << 20) / 5 * 4 + 1));
        await client.DoAsync(Stop, [.. Hello, .. Data, "REPEAT 20000 1234567890123"]);
        Assert.True(server.Budget.Scratch > 128 << 10, $"{server.Budget.Scratch} octets of scratch");
        await client.DoAsync(Stop, "C: .", "S* 250", "C: QUIT", "S* 221", "CLOSED");
        server.Budget.ReturnMemory((4 << 20) / 5 * 4 + 1);
        await EndsAsync(session, server);
        Assert.Equal(["<> b@example.org (300000 octets)"], server.Committed);
    }

    [Theory]
    [InlineData(0, true, true)]
    [InlineData(2_000_000, true, true)]
    [InlineData(100_000_000, false, true)]
    [InlineData(100_000_000, true, false)]
    public async Task Content_ThatTheDiskHasNoRoomFor_Is452AndGivesBackWhatItTook(long budget, bool creates, bool appends)
    {
        var scratch = new TestScratch(_folder.FullName) { Creates = creates, Appends = appends };
        var (client, session, server) = Connect(ServerUnderTest.Options with { MaxScratch = budget }, scratch: scratch);
        await client.DoAsync(Stop, [.. Hello, .. Data, "REPEAT 200000 1234567890123"]);
        Assert.Equal(0, server.Budget.Scratch);
        Assert.True(server.Budget.Memory <= 16 << 10, $"{server.Budget.Memory} octets of memory");
        await client.DoAsync(Stop, ["C: .", "S: 452 4.3.1 Insufficient storage, try again later", .. Data, "C: small", "C: .", "S* 250", "C: QUIT", "S* 221", "CLOSED"]);
        await EndsAsync(session, server);
        Assert.Equal(["<> b@example.org small\r\n"], server.Committed);
    }

    private ServerUnderTest Server(IngressOptions options, IScratchFolder? scratch = null, bool hasTls = false, Func<NewMessage, Task>? onCommit = null)
    {
        var server = new ServerUnderTest(options, hasTls, scratch, _time) { OnCommit = onCommit };
        _servers.Add(server);
        return server;
    }

    private (ScriptedClient Client, Task Session, ServerUnderTest Server) Connect(
        IngressOptions options, bool isTrusted = false, bool implicitTls = false, IScratchFolder? scratch = null, MemoryConnection? connection = null, Func<NewMessage, Task>? onCommit = null)
    {
        var server = Server(options, scratch, implicitTls, onCommit);
        var (client, session) = Connect(server, isTrusted ? ServerUnderTest.Trusted : ServerUnderTest.Outsider, implicitTls, connection);
        return (client, session, server);
    }

    private (ScriptedClient Client, Task Session) Connect(ServerUnderTest server, string client, bool implicitTls = false, MemoryConnection? connection = null)
    {
        connection ??= new MemoryConnection();
        var session = server.RunAsync(connection, client, implicitTls, () =>
        {
            _aborted++;
            connection.Client.Dispose();
        });
        return (new ScriptedClient(connection, Slicing.Whole, together: false), session);
    }

    /// <summary>Time goes by, and the registry looks, as it does every second.</summary>
    private void Pass(ServerUnderTest server, int seconds)
    {
        _time.Advance(TimeSpan.FromSeconds(seconds));
        server.Server.Registry.Sweep();
    }

    private static async Task EndsAsync(Task session, ServerUnderTest server)
    {
        await session.WaitAsync(TimeSpan.FromSeconds(20), Stop);
        Assert.Equal((0, 0, 0), (server.Server.Registry.Count, server.Budget.Memory, server.Budget.Scratch));
    }

    /// <summary>Scratch files that are written at once, with a hook before each append; the disk may have no room.</summary>
    private sealed class TestScratch(string folder, Func<Task>? beforeAppend = null) : IScratchFolder
    {
        public bool Creates { get; init; } = true;

        public bool Appends { get; init; } = true;

        public IScratchWriter? TryCreate() => Creates ? new Writer(this) : null;

        private sealed class Writer(TestScratch owner) : IScratchWriter
        {
            private readonly SafeFileHandle _handle = File.OpenHandle(Path.Combine(owner.Folder, Path.GetRandomFileName()), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, FileOptions.DeleteOnClose);
            private readonly XxHash3 _hash = new();
            private bool _isComplete;

            public long Length { get; private set; }

            public async ValueTask<bool> AppendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
            {
                if (owner.BeforeAppend is { } before) await before();
                if (!owner.Appends) return false;
                RandomAccess.Write(_handle, bytes.Span, Length);
                _hash.Append(bytes.Span);
                Length += bytes.Length;
                return true;
            }

            public ScratchContent Complete()
            {
                _isComplete = true;
                return new ScratchContent(_handle, Length, _hash.GetCurrentHashAsUInt64(), isEightBit: false);
            }

            public void Dispose()
            {
                if (!_isComplete) _handle.Dispose();
            }
        }

        private string Folder => folder;

        private Func<Task>? BeforeAppend => beforeAppend;
    }
}
