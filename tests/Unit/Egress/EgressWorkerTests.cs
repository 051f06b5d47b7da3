using Angarium.Contracts.DomainQueues;
using Angarium.Contracts.EgressPools;
using Angarium.Egress;
using Angarium.Egress.Worker;
using Angarium.Spool.Packs;
using Angarium.TestKit.Peers;
using Angarium.TestKit.Time;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Egress;

/// <summary>A worker from order to report: what it does with grants when peers, leases, queues and the process itself fail on the way.</summary>
public sealed class EgressWorkerTests
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(200);

    [Fact]
    public async Task Order_Open_CarriesWhatIsDueOnOneConnectionAndRunsDry()
    {
        using var peer = new LivePeer();
        await using var world = new WorkerUnderTest(peer.EndPoint);
        world.Mail("a@example.net", "Subject: 1\r\n\r\n.dot\r\n");
        world.Mail("b@example.net");
        await world.StartAsync();
        using var connection = await peer.GreetAsync();
        for (var i = 0; i < 2; i++)
        {
            await connection.EnvelopeAsync();
            await connection.SayAsync("354 go");
            var content = await connection.ContentAsync();
            if (i == 0) Assert.Equal("Subject: 1\r\n\r\n..dot\r\n", content);
            await connection.SayAsync("250 2.0.0 kept");
            var outcome = await world.OutcomeAsync();
            Assert.Equal((OutcomeKind.Delivered, false, "kept"), (outcome.Kind, outcome.PossibleDuplicate, outcome.Reply!.Text));
        }

        Assert.Equal(2, (await world.ReportAsync(SessionEvent.Dry)).Messages);
        world.Order(OrderKind.Close);
        await connection.HearAsync("QUIT");
        await connection.SayAsync("221 bye");
        await world.ReportAsync(SessionEvent.Closed);
        Assert.Equal(0, world.Context.Leases.Count);
    }

    /// <summary>
    /// The peer leaves, or says nothing, at each stage. Before MAIL no message is touched: the connection failed. From MAIL to the content the message is deferred. After the dot it may have been
    /// delivered: deferred, counted, and the site is not blamed (features: a final dot without a reply suspends nothing).
    /// </summary>
    [Theory]
    [InlineData("greeting", true)]
    [InlineData("greeting", false)]
    [InlineData("EHLO", true)]
    [InlineData("EHLO", false)]
    [InlineData("MAIL", true)]
    [InlineData("MAIL", false)]
    [InlineData("RCPT", true)]
    [InlineData("RCPT", false)]
    [InlineData("DATA", true)]
    [InlineData("DATA", false)]
    [InlineData("content", true)]
    [InlineData("content", false)]
    [InlineData("the final dot", true)]
    [InlineData("the final dot", false)]
    public async Task Peer_LeavesOrFallsSilent_IsJudgedByTheStage(string stage, bool cut)
    {
        using var peer = new LivePeer();
        await using var world = new WorkerUnderTest(peer.EndPoint, cut ? null : options => stage switch
        {
            "greeting" => options with { GreetingTimeout = Short },
            "EHLO" => options with { EhloTimeout = Short },
            "MAIL" => options with { MailTimeout = Short },
            "RCPT" => options with { RcptTimeout = Short },
            "DATA" => options with { DataTimeout = Short },
            "content" => options with { BlockTimeout = Short },
            _ => options with { DotTimeout = Short },
        });
        world.Mail("a@example.net", "Subject: large\r\n\r\n" + string.Concat(Enumerable.Repeat(new string('x', 78) + "\r\n", stage == "content" ? 500_000 : 10)));
        await world.StartAsync();
        using var connection = await peer.AcceptAsync();
        await StepsAsync();
        // At the greeting a reset could come before the client knows that it is connected.
        if (cut && stage == "greeting") connection.Dispose();
        else if (cut) connection.Cut();
        if (stage is "greeting" or "EHLO")
        {
            var failed = await world.ReportAsync(SessionEvent.ConnectFailed);
            Assert.Equal(451, failed.Reply!.Code);
            Assert.Contains($"({stage})", failed.Reply.Text, StringComparison.Ordinal);
            Assert.Empty(world.Exchanges);
            return;
        }

        var outcome = await world.OutcomeAsync();
        Assert.Equal((OutcomeKind.Deferred, stage == "the final dot", true), (outcome.Kind, outcome.PossibleDuplicate, outcome.Own));
        Assert.Contains($"({stage})", outcome.Reply!.Text, StringComparison.Ordinal);
        var end = await world.ReportAsync(SessionEvent.Lost, SessionEvent.Closed);
        Assert.Equal(stage == "the final dot" ? SessionEvent.Closed : SessionEvent.Lost, end.Event);

        async Task StepsAsync()
        {
            if (stage == "greeting") return;
            await connection.SayAsync("220 peer.test");
            await connection.HearAsync("EHLO");
            if (stage == "EHLO") return;
            await connection.SayAsync("250 peer.test");
            await connection.HearAsync("MAIL FROM:");
            if (stage == "MAIL") return;
            await connection.SayAsync("250 Ok");
            await connection.HearAsync("RCPT TO:");
            if (stage == "RCPT") return;
            await connection.SayAsync("250 Ok");
            await connection.HearAsync("DATA");
            if (stage == "DATA") return;
            await connection.SayAsync("354 go");
            if (stage == "content") await connection.LineAsync();
            else await connection.ContentAsync();
        }
    }

    [Fact]
    public async Task Dot_AnsweredWith4yzOr5yz_IsTheOutcomeInThePeersWords()
    {
        using var peer = new LivePeer();
        await using var world = new WorkerUnderTest(peer.EndPoint);
        world.Mail("a@example.net");
        world.Mail("b@example.net");
        await world.StartAsync();
        using var connection = await peer.GreetAsync();
        foreach (var (reply, kind) in new[] { ("452 4.2.2 full", OutcomeKind.Deferred), ("550 5.7.1 spam", OutcomeKind.Failed) })
        {
            await connection.EnvelopeAsync();
            await connection.SayAsync("354 go");
            await connection.ContentAsync();
            await connection.SayAsync(reply);
            var outcome = await world.OutcomeAsync();
            Assert.Equal((kind, reply, false), (outcome.Kind, outcome.Reply!.ToString(), outcome.Own));
        }
    }

    /// <summary>Design rule 15: what has not sent its final dot when the lease ends is aborted, and goes back untried.</summary>
    [Theory]
    [InlineData("RCPT")]
    [InlineData("content")]
    public async Task Lease_EndsBeforeTheDot_NoDotIsSent(string stage)
    {
        using var peer = new LivePeer();
        await using var world = new WorkerUnderTest(peer.EndPoint) { Lease = TimeSpan.FromSeconds(2) };
        world.Mail("a@example.net", "Subject: large\r\n\r\n" + string.Concat(Enumerable.Repeat(new string('x', 78) + "\r\n", 500_000)));
        await world.StartAsync();
        using var connection = await peer.GreetAsync();
        await connection.HearAsync("MAIL FROM:");
        await connection.SayAsync("250 Ok");
        await connection.HearAsync("RCPT TO:");
        if (stage == "RCPT")
        {
            // A reply that comes when the lease has ended, as the clock of the worker has it.
            while (world.Context.Clock.Now < world.Exchanges[0].SentAt + world.Lease) await Task.Yield();
            await connection.SayAsync("250 Ok");
            await connection.HearAsync("DATA");
            await connection.SayAsync("354 go");
        }
        else
        {
            await connection.SayAsync("250 Ok");
            await connection.HearAsync("DATA");
            await connection.SayAsync("354 go");
            // And no more is read until it is over: the client's writes fill the socket.
        }

        var outcome = await world.OutcomeAsync();
        Assert.Equal((OutcomeKind.Returned, false), (outcome.Kind, outcome.PossibleDuplicate));
        await connection.DrainAsync();
        Assert.DoesNotContain("\r\n.\r\n", connection.Heard.ToString(), StringComparison.Ordinal);
    }

    /// <summary>Design rule 13: a body that fails its checksum is deferred in our own words, and the peer gets no dot to take it by.</summary>
    [Fact]
    public async Task Body_FailsItsChecksum_NoDotIsSent()
    {
        using var peer = new LivePeer();
        await using var world = new WorkerUnderTest(peer.EndPoint);
        world.Mail("a@example.net", damaged: true);
        await world.StartAsync();
        using var connection = await peer.GreetAsync();
        await connection.EnvelopeAsync();
        await connection.SayAsync("354 go");
        var outcome = await world.OutcomeAsync();
        Assert.Equal((OutcomeKind.Deferred, true, false), (outcome.Kind, outcome.Own, outcome.PossibleDuplicate));
        Assert.Single(world.Log.All, line => line.StartsWith("Critical: Stored message damaged", StringComparison.Ordinal));
        await connection.DrainAsync();
        Assert.DoesNotContain("\r\n.\r\n", connection.Heard.ToString(), StringComparison.Ordinal);
    }

    /// <summary>Design rule 5: what is not where its grant says is no outcome.</summary>
    [Fact]
    public async Task Entry_NotThere_GoesBackToTheSweep()
    {
        using var peer = new LivePeer();
        await using var world = new WorkerUnderTest(peer.EndPoint);
        world.Mail("a@example.net", missing: SpoolReadStatus.NotFound);
        await world.StartAsync();
        using var connection = await peer.GreetAsync();
        Assert.Equal(OutcomeKind.NotFound, (await world.OutcomeAsync()).Kind);
    }

    /// <summary>Design rule 17: lost on the way there or on the way back, an exchange is repeated under its number until it is answered; no outcome is lost or told twice.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Exchange_Lost_IsRepeatedUnderItsNumber(bool onTheWayBack)
    {
        using var peer = new LivePeer();
        await using var world = new WorkerUnderTest(peer.EndPoint);
        var lost = 0;
        void Lose(ExchangeRequest request)
        {
            if (request.Outcomes.Length > 0 && Interlocked.Increment(ref lost) <= 3) throw new TimeoutException("lost");
        }

        if (onTheWayBack) world.OnAnswer = Lose;
        else world.OnExchange = Lose;
        world.Mail("a@example.net");
        await world.StartAsync();
        using var connection = await peer.GreetAsync();
        await connection.EnvelopeAsync();
        await connection.SayAsync("354 go");
        await connection.ContentAsync();
        await connection.SayAsync("250 Ok");
        Assert.Equal(OutcomeKind.Delivered, (await world.OutcomeAsync()).Kind);
        await world.ReportAsync(SessionEvent.Dry);
        // The session may be elsewhere by now; the worker is not over before each outcome is acknowledged.
        await world.Worker.StopAsync(CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        Assert.True(lost > 3);
        var told = world.Exchanges.Where(e => e.Outcomes.Length > 0).ToList();
        Assert.Single(told.Select(e => (e.Session, e.Number)).Distinct());
    }

    /// <summary>A session leaves a domain that had little before its outcome is acknowledged; how many it leaves so is bounded, whatever the ledger does.</summary>
    [Fact]
    public async Task Domains_WhoseOutcomesAreNotAcknowledged_AreFew()
    {
        using var peer = new LivePeer();
        await using var world = new WorkerUnderTest(peer.EndPoint);
        var isDown = true;
        var failed = 0;
        var isRepeated = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        world.OnExchange = request =>
        {
            if (!Volatile.Read(ref isDown) || request.Outcomes.Length == 0) return;
            if (Interlocked.Increment(ref failed) == 16) isRepeated.TrySetResult();
            throw new TimeoutException("the ledger is slow");
        };
        world.Mail("a@example.net");
        await world.StartAsync();
        using var connection = await peer.GreetAsync();
        for (var domain = 0; domain < 8; domain++)
        {
            await connection.EnvelopeAsync();
            await connection.SayAsync("354 go");
            await connection.ContentAsync();
            await connection.SayAsync("250 Ok");
            if (domain == 3) break;
            await world.ReportAsync(SessionEvent.Dry);
            world.Mail($"a@d{domain}.test");
            world.Order(OrderKind.Serve, $"d{domain}.test");
        }

        // The fourth is done with, and each has been told three times and more: the session waits, and goes on once one is acknowledged.
        await isRepeated.Task.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        Assert.False(world.HasOutcome);
        Assert.Equal(3, world.Polls.ToArray().SelectMany(poll => poll.Reports).Count(report => report.Event == SessionEvent.Dry));
        Volatile.Write(ref isDown, false);
        await world.ReportAsync(SessionEvent.Dry);
        for (var i = 0; i < 4; i++) Assert.Equal(OutcomeKind.Delivered, (await world.OutcomeAsync()).Kind);
    }

    /// <summary>Two polls are on their way at a time, and a network that turns them round makes nobody wait: what the one that was overtaken told comes again with the next, at once.</summary>
    [Fact]
    public async Task Poll_Overtaken_TellsItsReportsAtOnceWithTheNext()
    {
        using var peer = new LivePeer();
        // Time stands still: a pause would last for ever.
        await using var world = new WorkerUnderTest(peer.EndPoint, time: new FakeTimeProvider(DateTimeOffset.UtcNow));
        world.Mail("a@example.net");
        var overtaken = 0;
        world.IsOvertaken = request => request.Reports.Any(r => r.Event == SessionEvent.Dry) && Interlocked.Increment(ref overtaken) <= 3;
        await world.StartAsync();
        using var connection = await peer.GreetAsync();
        await connection.EnvelopeAsync();
        await connection.SayAsync("354 go");
        await connection.ContentAsync();
        await connection.SayAsync("250 Ok");
        await world.ReportAsync(SessionEvent.Dry);
        Assert.Equal(4, overtaken);
        world.Order(OrderKind.Close);
        await connection.HearAsync("QUIT");
        await connection.SayAsync("221 bye");
        await world.ReportAsync(SessionEvent.Closed);
    }

    /// <summary>A stop lets the transaction under way end, returns what was not begun, and reports both before it is over.</summary>
    [Fact]
    public async Task Stop_DuringATransaction_LetsItEndAndReturnsTheRest()
    {
        using var peer = new LivePeer();
        var world = new WorkerUnderTest(peer.EndPoint);
        world.Mail("a@example.net");
        world.Mail("b@example.net");
        await world.StartAsync();
        using var connection = await peer.GreetAsync();
        await connection.EnvelopeAsync();
        await connection.SayAsync("354 go");
        await connection.ContentAsync();
        var stop = world.Worker.StopAsync(CancellationToken.None);
        Assert.False(world.Worker.IsReady);
        await connection.SayAsync("250 Ok");
        await connection.HearAsync("QUIT");
        await connection.SayAsync("221 bye");
        await stop.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        var kinds = new[] { (await world.OutcomeAsync()).Kind, (await world.OutcomeAsync()).Kind };
        Assert.Equal([OutcomeKind.Delivered, OutcomeKind.Returned], kinds.Order());
        Assert.Equal(0, world.Context.Leases.Count);
        await world.ReportAsync(SessionEvent.Closed);
        await world.DisposeAsync();
    }

    /// <summary>Whatever turns the pool of threads takes, of two polls the later one leaves later: the pool would refuse the one that was overtaken, and what it reports would wait for a second.</summary>
    [Fact]
    public async Task Stop_LastPoll_LeavesAfterTheOneBefore()
    {
        await using var world = new WorkerUnderTest(hop: "127.0.0.1:9?tls=none");
        var turns = new LastComeFirstServed();
        using var stop = new CancellationTokenSource();
        var run = turns.Run(() => world.Worker.RunAsync(stop.Token), stop.Cancel);
        await run.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        Assert.Equal([(1, false), (2, true)], world.Polls.Select(poll => (poll.Number, poll.Leaving)));
    }

    /// <summary>The pool is on its way to another silo while a worker ends: the worker says so again until it is heard, or its successor would wait for one that is gone.</summary>
    [Fact]
    public async Task Stop_LastPollIsNotTaken_IsSaidAgain()
    {
        var time = new WatchedTime();
        await using var world = new WorkerUnderTest(hop: "127.0.0.1:9?tls=none", time: time);
        await world.StartAsync();
        await time.MadeAsync(TimeSpan.FromSeconds(1));
        await world.ReportAsync(SessionEvent.ConnectFailed);
        world.RefusesToLeave = true;
        var stop = world.Worker.StopAsync(CancellationToken.None);
        while (!(await world.PolledAsync()).Leaving) { }
        await time.MadeAsync(TimeSpan.FromSeconds(1));
        world.RefusesToLeave = false;
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.True((await world.PolledAsync()).Leaving);
        await stop.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
    }

    /// <summary>A queue that was told of another domain's mail (by whoever may offer) has it not carried to its own hosts, and nothing is decided of it.</summary>
    [Fact]
    public async Task Grant_OfAnotherDomainsMail_IsNotCarried()
    {
        using var peer = new LivePeer();
        await using var world = new WorkerUnderTest(peer.EndPoint);
        world.Mail("victim@elsewhere.test");
        world.Mail("a@example.net");
        await world.StartAsync();
        using var connection = await peer.GreetAsync();
        Assert.Equal(OutcomeKind.NotFound, (await world.OutcomeAsync()).Kind);
        await connection.EnvelopeAsync();
        Assert.DoesNotContain("victim", connection.Heard.ToString(), StringComparison.Ordinal);
        await connection.SayAsync("421 4.3.2 later");
        await world.ReportAsync(SessionEvent.Lost);
    }

    /// <summary>DNS was in trouble when the silo looked, or has changed since: under the permit of one site no connection to another is made, and the domain hears where its mail goes (design rule 21).</summary>
    [Fact]
    public async Task Open_DomainGoesElsewhere_ConnectsToNobodyAndSaysWhere()
    {
        using var peer = new LivePeer();
        await using var world = new WorkerUnderTest(peer.EndPoint);
        world.Mail("a@example.net");
        await world.Worker.StartAsync(CancellationToken.None);
        world.Order(OrderKind.Open, site: "dns:example.net");
        var moved = await world.ReportAsync(SessionEvent.Moved, SessionEvent.Connected, SessionEvent.ConnectFailed);
        Assert.Equal((SessionEvent.Moved, "dns:example.net", "example.net"), (moved.Event, moved.Site, moved.Domain));
        Assert.False(peer.IsCalled);
        // Where it is told to go next, it goes.
        world.Order(OrderKind.Open, site: moved.Route!.Site);
        using var connection = await peer.GreetAsync();
        await connection.HearAsync("MAIL");
        await connection.SayAsync("421 4.3.2 later");
        await world.ReportAsync(SessionEvent.Lost);
    }

    /// <summary>Each reply comes within its limit, and a hundred of them take a working day: others wait for the connection.</summary>
    [Fact]
    public async Task Close_PeerIsSlowInEachStep_TheTransactionEndsAfterTenMinutes()
    {
        var time = new WatchedTime();
        using var peer = new LivePeer();
        await using var world = new WorkerUnderTest(peer.EndPoint, options => options with { MailTimeout = TimeSpan.FromHours(1), RcptTimeout = TimeSpan.FromHours(1) }, time: time) { Lease = TimeSpan.FromHours(1) };
        world.Mail("a@example.net");
        await world.StartAsync();
        for (var polls = 0; polls < 2; polls++) await world.PolledAsync();
        using var connection = await peer.GreetAsync();
        await connection.HearAsync("MAIL");
        await world.PolledAsync();
        world.Order(OrderKind.Close);
        // The next comes when it has followed the order.
        await world.PolledAsync();
        for (var minute = 0; minute < 9; minute++) time.Advance(TimeSpan.FromMinutes(1));
        Assert.False(world.HasOutcome);
        for (var minute = 0; minute < 2; minute++) time.Advance(TimeSpan.FromMinutes(1));
        var outcome = await world.OutcomeAsync();
        Assert.Equal((OutcomeKind.Deferred, false), (outcome.Kind, outcome.PossibleDuplicate));
        Assert.Contains("too slow for those that waited", outcome.Reply!.Text, StringComparison.Ordinal);
        await world.ReportAsync(SessionEvent.Lost);
    }

    /// <summary>Two activations of the pool answer: of the one that claimed it first, no order is followed once the other was heard (design rule 21).</summary>
    [Fact]
    public async Task Orders_OfAnActivationWithASuccessor_AreNotFollowed()
    {
        using var peer = new LivePeer();
        await using var world = new WorkerUnderTest(peer.EndPoint) { Claim = 8 };
        await world.StartAsync();
        using var connection = await peer.GreetAsync();
        Assert.Equal(SessionEvent.Dry, (await world.ReportAsync(SessionEvent.Dry)).Event);
        world.Claim = 7;
        world.Order(OrderKind.Close);
        world.Claim = 8;
        world.Mail("a@example.net");
        world.Order(OrderKind.Serve);
        await connection.HearAsync("MAIL");
        Assert.Equal(8, world.Polls[^1].Claim);
        await connection.SayAsync("421 4.3.2 later");
        await world.ReportAsync(SessionEvent.Lost);
    }

    /// <summary>A peer that does not end is cut at the end of the drain; what it may have taken is told as such.</summary>
    [Fact]
    public async Task Stop_PeerSaysNothing_IsCutAndCounted()
    {
        using var peer = new LivePeer();
        var world = new WorkerUnderTest(peer.EndPoint, options => options with { DrainTimeout = Short });
        world.Mail("a@example.net");
        await world.StartAsync();
        using var connection = await peer.GreetAsync();
        await connection.EnvelopeAsync();
        await connection.SayAsync("354 go");
        await connection.ContentAsync();
        await world.Worker.StopAsync(CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        var outcome = await world.OutcomeAsync();
        Assert.Equal((OutcomeKind.Deferred, true), (outcome.Kind, outcome.PossibleDuplicate));
        await connection.DrainAsync();
        await world.DisposeAsync();
    }

    /// <summary>Commands go in groups (RFC 2920), and each recipient has a result of its own.</summary>
    [Fact]
    public async Task Recipients_OfOneMessage_AreJudgedOneByOne()
    {
        using var peer = new LivePeer();
        await using var world = new WorkerUnderTest(peer.EndPoint);
        world.Mail("a@example.net,b@example.net,c@example.net");
        await world.StartAsync();
        using var connection = await peer.GreetAsync("PIPELINING", "ENHANCEDSTATUSCODES");
        foreach (var line in new[] { "MAIL", "RCPT", "RCPT", "RCPT", "DATA" }) await connection.HearAsync(line);
        await connection.SayAsync("250 2.1.0 Ok", "250 2.1.5 Ok", "550 5.1.1 unknown", "451 4.7.1 later", "354 go");
        await connection.ContentAsync();
        await connection.SayAsync("250 2.0.0 kept");
        var kinds = new Dictionary<int, OutcomeKind>();
        while (kinds.Count < 3)
        {
            var outcome = await world.OutcomeAsync();
            foreach (var key in outcome.Keys) kinds.Add(key.Ordinal, outcome.Kind);
        }

        Assert.Equal([OutcomeKind.Delivered, OutcomeKind.Failed, OutcomeKind.Deferred], kinds.OrderBy(k => k.Key).Select(k => k.Value));
    }

    /// <summary>A defect in mid-transaction: what was begun is renewed no more and its lease ends by itself, so that it is counted (design rule 17); what was not begun is returned.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Session_Breaks_NoLeaseStaysWithoutACarrier(bool inTheBody)
    {
        using var peer = new LivePeer();
        var world = new WorkerUnderTest(peer.EndPoint);
        if (!inTheBody)
        {
            world.OnOpen = place =>
            {
                if (place.Pack.Number == 1) throw new InvalidOperationException("a defect");
            };
        }

        world.Mail("a@example.net,b@example.net", beforePart: _ => throw new InvalidOperationException("a defect"));
        world.Mail("c@example.net");
        await world.StartAsync();
        using var connection = await peer.GreetAsync();
        if (inTheBody)
        {
            await connection.HearAsync("MAIL");
            await connection.SayAsync("250 Ok");
            foreach (var answer in new[] { "550 5.1.1 unknown", "250 Ok" })
            {
                await connection.HearAsync("RCPT");
                await connection.SayAsync(answer);
            }

            await connection.HearAsync("DATA");
            await connection.SayAsync("354 go");
        }

        await world.ReportAsync(SessionEvent.Closed);
        await world.Worker.StopAsync(CancellationToken.None);
        Assert.Equal(0, world.Context.Leases.Count);
        var told = world.Exchanges.SelectMany(e => e.Outcomes).Select(o => (o.Lease, o.Kind)).Order();
        Assert.Equal(inTheBody ? [(1ul, OutcomeKind.Failed), (2ul, OutcomeKind.Returned)] : [(2ul, OutcomeKind.Returned)], told);
        Assert.All(world.Opened, entry => Assert.True(entry.IsDisposed));
        await world.DisposeAsync();
    }

    /// <summary>The same defect in the message that was asked for while the last one was on the wire, and the peer ends the session before it is seen.</summary>
    [Fact]
    public async Task Session_EndsWhileTheNextMessageBreaks_NoLeaseStaysWithoutACarrier()
    {
        using var peer = new LivePeer();
        var world = new WorkerUnderTest(peer.EndPoint);
        world.OnOpen = place =>
        {
            if (place.Pack.Number == 2) throw new InvalidOperationException("a defect");
        };
        world.Mail("a@example.net");
        world.Mail("b@example.net");
        await world.StartAsync();
        using var connection = await peer.GreetAsync();
        await connection.EnvelopeAsync();
        await connection.SayAsync("354 go");
        await connection.ContentAsync();
        await connection.SayAsync("421 4.3.2 down");
        Assert.Equal(OutcomeKind.Deferred, (await world.OutcomeAsync()).Kind);
        await world.ReportAsync(SessionEvent.Lost);
        await world.Worker.StopAsync(CancellationToken.None);
        Assert.Equal(0, world.Context.Leases.Count);
        await world.DisposeAsync();
    }

    /// <summary>A session that breaks before it has a connection is a failed one: its site rests, instead of ordering the next at once.</summary>
    [Fact]
    public async Task Session_BreaksBeforeItIsConnected_IsAFailedConnection()
    {
        using var peer = new LivePeer();
        await using var world = new WorkerUnderTest(peer.EndPoint, dial: () => throw new InsufficientMemoryException("a defect"));
        world.Mail("a@example.net");
        await world.StartAsync();
        var failed = await world.ReportAsync(SessionEvent.ConnectFailed);
        Assert.Equal((451, true), (failed.Reply!.Code, failed.Own));
        Assert.Equal(0, world.Worker.Sessions);
        Assert.Empty(world.Exchanges);
    }

    /// <summary>A peer that greets and then refuses took nothing: the site hears so, and does not take it for one that only wants less.</summary>
    [Fact]
    public async Task Peer_Refuses421AtTheFirstMail_ReportsNoMessage()
    {
        using var peer = new LivePeer();
        await using var world = new WorkerUnderTest(peer.EndPoint);
        world.Mail("a@example.net");
        world.Mail("b@example.net");
        await world.StartAsync();
        using var connection = await peer.GreetAsync();
        await connection.HearAsync("MAIL");
        await connection.SayAsync("421 4.3.2 later");
        Assert.Equal(0, (await world.ReportAsync(SessionEvent.Lost)).Messages);
    }

    /// <summary>A session that stays busy tells every ten seconds of what goes through: its site may have one more.</summary>
    [Fact]
    public async Task Session_StaysBusy_TellsOfItsMessages()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        using var peer = new LivePeer();
        await using var world = new WorkerUnderTest(peer.EndPoint, time: time);
        world.Mail("a@example.net");
        world.Mail("b@example.net");
        await world.StartAsync();
        using var connection = await peer.GreetAsync();
        Assert.Equal(0, (await world.ReportAsync(SessionEvent.Connected)).Messages);
        await connection.EnvelopeAsync();
        await connection.SayAsync("354 go");
        await connection.ContentAsync();
        await connection.SayAsync("250 Ok");
        await connection.HearAsync("MAIL");
        for (var i = 0; i < 10; i++) time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(1, (await world.ReportAsync(SessionEvent.Connected)).Messages);
        await connection.SayAsync("421 4.3.2 later");
        Assert.Equal(0, (await world.ReportAsync(SessionEvent.Lost)).Messages);
    }

    /// <summary>Design rule 21: whom its pool has not heard for 20 s counts for nothing there, so it holds nothing either; what is on the wire is finished.</summary>
    [Fact]
    public async Task Polls_FailFor20Seconds_SessionsCloseBetweenTransactionsAndNothingIsReady()
    {
        var time = new WatchedTime();
        using var peer = new LivePeer();
        await using var world = new WorkerUnderTest(peer.EndPoint, time: time) { Lease = TimeSpan.FromMinutes(5), Claim = 8 };
        world.Mail("a@example.net");
        world.Mail("b@example.net");
        await world.StartAsync();
        for (var polls = 0; polls < 2; polls++) await world.PolledAsync();
        using var connection = await peer.GreetAsync();
        await connection.EnvelopeAsync();
        await connection.SayAsync("354 go");
        await connection.ContentAsync();
        // The third tells of the connection; the second is answered for its sake.
        await world.PolledAsync();
        world.TakePoolAway();
        for (var second = 0; second < 19; second++) time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(world.Worker.IsReady);
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.False(world.Worker.IsReady);

        // Its document was lost meanwhile, and its claims begin anew.
        world.BringPoolBack(claim: 3);
        await connection.SayAsync("250 Ok");
        Assert.Equal(OutcomeKind.Delivered, (await world.OutcomeAsync()).Kind);
        await connection.HearAsync("QUIT");
        await connection.SayAsync("221 bye");
        await world.ReportAsync(SessionEvent.Closed);
        world.Order(OrderKind.Open);
        using var next = await peer.GreetAsync();
        Assert.True(world.Worker.IsReady);
    }

    /// <summary>The session went on to another domain while it asked this one for more: all that comes is returned. What is kept is renewed, and never tried.</summary>
    [Fact]
    public async Task Feed_StoppedWhileAnExchangeIsOnItsWay_ReturnsEveryGrant()
    {
        await using var world = new WorkerUnderTest(hop: "127.0.0.1:9?tls=none");
        world.Mail("a@example.net");
        world.Mail("b@example.net");
        var feed = new DomainFeed(world.Context, "example.net", "site", maxMessages: 0);
        var settled = new TaskCompletionSource<Task>();
        world.OnAnswer = request =>
        {
            if (request.Number == 1) settled.SetResult(feed.EndAsync());
        };
        Assert.Null(await feed.NextAsync());
        await (await settled.Task);
        for (var i = 0; i < 2; i++) Assert.Equal(OutcomeKind.Returned, (await world.OutcomeAsync()).Kind);
        Assert.Equal(0, world.Context.Leases.Count);
    }

    /// <summary>Turns taken in the order that a thread pool seldom, but lawfully, takes them: the newest first.</summary>
    private sealed class LastComeFirstServed : SynchronizationContext
    {
        private readonly Stack<(SendOrPostCallback Callback, object? State)> waiting = new();

        public override void Post(SendOrPostCallback d, object? state)
        {
            lock (waiting) waiting.Push((d, state));
        }

        /// <summary>Starts the work, then does <paramref name="next"/>, and only then takes turns until none waits.</summary>
        public Task Run(Func<Task> work, Action next)
        {
            var outer = Current;
            SetSynchronizationContext(this);
            try
            {
                var run = work();
                next();
                while (TryTake(out var turn)) turn.Callback(turn.State);
                return run;
            }
            finally
            {
                SetSynchronizationContext(outer);
            }
        }

        private bool TryTake(out (SendOrPostCallback Callback, object? State) turn)
        {
            lock (waiting) return waiting.TryPop(out turn);
        }
    }
}
