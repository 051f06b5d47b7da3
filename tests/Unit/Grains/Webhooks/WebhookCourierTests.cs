using System.Collections.Concurrent;
using System.Text.Json;
using Angarium.Contracts.Webhooks;
using Angarium.Grains.Tenants;
using Angarium.Grains.Webhooks;
using Angarium.Mail;
using Angarium.Spool.Documents;
using Angarium.Spool.Events;
using Angarium.Spool.Ledger;
using Angarium.TestKit.Peers;
using Angarium.Unit.Spool;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Grains.Webhooks;

/// <summary>
/// Couriers over a ledger in memory, in the test's time: whoever fails, is slow, starts late or again gets every event of its tenant, in order, and none twice.
/// </summary>
public sealed class WebhookCourierTests : IDisposable
{
    private static readonly string[] s_tenants = ["one", "two"];

    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 28, 0, 0, 0, TimeSpan.Zero));
    private readonly MasterKey _master = new(new byte[32]);
    private readonly GrowingLedger _ledger;
    private readonly LockedDocuments _documents = new();
    private readonly ConcurrentDictionary<string, Receiver> _receivers = new();
    private readonly ConcurrentQueue<string> _disabled = new();
    private readonly WebhookOffice _office;
    private readonly WebhooksOptions _options = new();

    public WebhookCourierTests()
    {
        _ledger = new GrowingLedger
        {
            Now = StoreTime.FromDateTimeOffset(_time.GetUtcNow()), Piece = 64 << 10, Key = (writer, n) => new RecipientKey(writer, 1, (ushort)(n % 5)),
            Summary = n => new EnvelopeSummary { Message = new MessageId(new RecipientKey(9, 1, 0)), ReversePath = "a@b.test", Recipient = "c@d.test", Tenant = s_tenants[n % 5 % 2], Accepted = new StoreTime(1_000) },
        };
        _office = NewOffice();
    }

    public void Dispose()
    {
        _office.Dispose();
        _master.Dispose();
    }

    [Fact]
    public async Task Run_UpToDate_GetsWhatComes_AndNothingOfOthers()
    {
        Append(1, 9);
        await using var one = Start("one");
        await using var two = Start("two");
        await UntilAsync(() => one.Courier.IsUpToDate && two.Courier.IsUpToDate);
        for (var i = 0; i < 20; i++)
        {
            Append((ulong)(i % 3) + 1, 7);
            if (i % 4 == 0) _ledger.Roll((ulong)(i % 3) + 1);
            await UntilAsync(() => HasAll("one") && HasAll("two"));
        }

        // Fed by the shared reading all the time: nobody read for itself but to join.
        Assert.True(one.Courier.IsUpToDate);
        AssertExact("one", "two");
    }

    [Fact]
    public async Task Run_RefusedBatch_ComesAgainAsItWas_AndThenAllThatCameMeanwhile()
    {
        await using var one = Start("one");
        await UntilAsync(() => one.Courier.IsUpToDate);
        var refused = new List<string>();
        Of("one").Answer = batch =>
        {
            refused.Add(batch.Id);
            return refused.Count < 3 ? new WebhookOutcome { End = WebhookEnd.Answered, Status = 500 } : Receiver.Taken;
        };
        Append(1, 5);
        await UntilAsync(() => refused.Count == 1 && !one.Courier.IsUpToDate);
        Append(1, 400);
        await UntilAsync(() => HasAll("one"));
        Assert.Single(refused[..3].Distinct());
        Assert.True(_time.GetUtcNow() - _time.Start >= TimeSpan.FromMinutes(5), "it was tried again too soon");
        await UntilAsync(() => one.Courier.IsUpToDate);
        AssertExact("one");
    }

    [Fact]
    public async Task Run_MoreThanItsInboxHolds_ReadsOnForItself()
    {
        await using var one = Start("one");
        await using var two = Start("two");
        await UntilAsync(() => one.Courier.IsUpToDate && two.Courier.IsUpToDate);
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Of("one").Gate = gate.Task;
        for (var i = 0; i < 40; i++)
        {
            Append((ulong)(i % 2) + 1, 200);
            // The slow one is in nobody's way.
            await UntilAsync(() => HasAll("two"));
        }

        Assert.False(HasAll("one"));
        gate.SetResult();
        await UntilAsync(() => HasAll("one") && one.Courier.IsUpToDate);
        AssertExact("one", "two");
    }

    [Fact]
    public async Task Run_StartedAgain_GoesOnWhereItWas()
    {
        for (var i = 0; i < 10; i++)
        {
            await using (var one = Start("one"))
            {
                Append(1, 30);
                await UntilAsync(() => HasAll("one"));
            }

            // While nobody is there.
            Append(2, 30);
            _ledger.Roll(2);
        }

        await using var last = Start("one");
        await UntilAsync(() => HasAll("one"));
        AssertExact("one");
    }

    [Fact]
    public async Task Run_WithoutAGoodbye_PostsAgainUnderTheSameIds_AndLeavesNothingOut()
    {
        Dictionary<string, Document> stored;
        await using (var one = Start("one"))
        {
            await UntilAsync(() => one.Courier.IsUpToDate);
            stored = _documents.Copy();
            Append(1, 50);
            await UntilAsync(() => HasAll("one"));
        }

        _documents.Restore(stored);
        await using var again = Start("one");
        await UntilAsync(() => Of("one").Events.Count == 2 * Expected("one").Count);
        Assert.Equal(Expected("one").Order(), Of("one").Events.Distinct().Order());
    }

    /// <summary>An overlap: each finds the other's place, and nothing is left out.</summary>
    [Fact]
    public async Task Run_TwoAtOnce_LeaveNothingOut()
    {
        using var office = NewOffice();
        await using var one = Start("one");
        await using var other = Start("one", office: office);
        for (var i = 0; i < 10; i++)
        {
            Append(1, 20);
            await UntilAsync(() => HasAll("one"), office);
        }

        Assert.Equal(Expected("one").Order(), Of("one").Events.Distinct().Order());
    }

    [Fact]
    public async Task Run_NothingTakenForDays_IsDisabled_AndGoesOnWhenItIsRenewed()
    {
        await using var one = Start("one");
        Of("one").Answer = _ => new WebhookOutcome { End = WebhookEnd.Unreachable, Detail = "it could not be connected to" };
        Append(1, 5);
        await UntilAsync(() => !_disabled.IsEmpty, step: TimeSpan.FromMinutes(10));
        Assert.InRange(_time.GetUtcNow() - _time.Start, TimeSpan.FromDays(5), TimeSpan.FromDays(7));
        Assert.StartsWith("one w it could not be connected to, nothing taken since 2026-11-28", Assert.Single(_disabled), StringComparison.Ordinal);
        Append(1, 5);
        var posts = Of("one").Posts;
        for (var i = 0; i < 20; i++) await StepAsync(TimeSpan.FromHours(1), _office);
        Assert.Equal(posts, Of("one").Posts);
        Of("one").Answer = _ => Receiver.Taken;
        one.Courier.Define(Definition("one", "w") with { Renewed = _time.GetUtcNow() });
        await UntilAsync(() => HasAll("one"));
        AssertExact("one");
    }

    [Fact]
    public async Task Run_ANewAddressWhileItWaits_IsTriedAtOnce()
    {
        await using var one = Start("one");
        Of("one").Answer = _ => new WebhookOutcome { End = WebhookEnd.Answered, Status = 404 };
        Append(1, 5);
        for (var tries = 1; tries < 5; tries++) await UntilAsync(() => Of("one").Posts >= tries, step: TimeSpan.FromMinutes(1));
        Of("one").Answer = _ => Receiver.Taken;
        var began = _time.GetUtcNow();
        one.Courier.Define(Definition("one", "w") with { Url = "https://other.test/one/w", Renewed = began });
        await UntilAsync(() => HasAll("one"));
        Assert.True(_time.GetUtcNow() - began < TimeSpan.FromMinutes(2));
        AssertExact("one");
    }

    [Fact]
    public async Task Run_SomeTypesOnly_AreAllThatIsPosted()
    {
        await using var one = Start("one", Definition("one", "w") with { Events = ["accepted"] });
        Append(1, 20);
        // Only a first attempt says that its recipient was accepted.
        await UntilAsync(() => Of("one").Events.Count == 1);
        await UntilAsync(() => one.Courier.IsUpToDate);
        Assert.EndsWith("-accepted", Assert.Single(Of("one").Events), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_WhatWasBeforeItWasMade_IsNotPosted()
    {
        Append(1, 20);
        _time.Advance(TimeSpan.FromMinutes(1));
        await using var one = Start("one", Definition("one", "w") with { Created = _time.GetUtcNow() });
        var before = _ledger.Written.Count;
        Append(1, 10);
        await UntilAsync(() => Of("one").Events.Count > 0 && one.Courier.IsUpToDate);
        Assert.Equal(_ledger.Written.Skip(before).Count(r => r.Summary!.Tenant == "one"), Of("one").Events.Count);
    }

    /// <summary>A batch may end in the midst of what one reading found: that part is posted, although the place in the ledger is before it.</summary>
    [Fact]
    public async Task Run_ABatchEndsWithinWhatAReadingFound_GetsNoneOfItTwice()
    {
        await using var one = Start("one");
        Append(1, 10);
        await UntilAsync(() => HasAll("one") && one.Courier.IsUpToDate);
        var receiver = Of("one");
        var gate = new TaskCompletionSource();
        receiver.Gate = gate.Task;
        var asked = Volatile.Read(ref receiver.Asked);
        // The first is on its way while two more readings find something, the second of them more than a batch.
        foreach (var count in (int[])[10, 10, 4 * WebhookBatch.MaxEvents])
        {
            Append(1, count);
            await StepAsync(TimeSpan.FromSeconds(1), _office);
            await UntilAsync(() => Volatile.Read(ref receiver.Asked) > asked);
        }

        var posts = 0;
        receiver.Answer = _ => ++posts == 3 ? new WebhookOutcome { End = WebhookEnd.Answered, Status = 500 } : Receiver.Taken;
        gate.SetResult();
        await UntilAsync(() => HasAll("one"), step: TimeSpan.FromMinutes(1));
        Assert.True(posts > 3);
        AssertExact("one");
    }

    [Fact]
    public async Task Run_TakenAway_Ends()
    {
        await using var one = Start("one");
        Append(1, 5);
        await UntilAsync(() => HasAll("one") && one.Courier.IsUpToDate);
        await UntilAsync(() => _documents.Count > 0);
        await _documents.DeleteAsync(WebhookState.Name("one", "w"), default);
        Append(1, 5);
        await UntilAsync(() => one.Run.IsCompleted);
        Assert.Equal(0, _documents.Count);
    }

    /// <summary>
    /// Anything at any time: taken, refused, slow, unposted, stopped and started again. In the end each has all, and each recipient's in order; twice at most what was taken just when it was stopped.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Run_WhateverHappens_EachGetsAllAndInOrder(int seed)
    {
        var random = new Random(seed);
        string[] webhooks = ["a", "b", "c"];
        var running = webhooks.SelectMany(w => s_tenants.Select(t => (Tenant: t, Webhook: w))).ToDictionary(x => x, x => Start(x.Tenant, Definition(x.Tenant, x.Webhook)));
        foreach (var (i, key) in running.Keys.Index())
        {
            var draw = new Random(seed * 100 + i);
            Of(key.Tenant, key.Webhook).Answer = _ => draw.Next(6) switch
            {
                0 => new WebhookOutcome { End = WebhookEnd.Answered, Status = 500 },
                1 => new WebhookOutcome { End = WebhookEnd.NotPosted, Detail = "no egress took it" },
                _ => Receiver.Taken,
            };
        }

        var stops = running.Keys.ToDictionary(key => key, _ => 0);
        for (var i = 0; i < 150; i++)
        {
            switch (random.Next(5))
            {
                case 0: _ledger.Roll((ulong)random.Next(1, 4)); break;
                case 1 when random.Next(4) == 0:
                    var key = running.Keys.ElementAt(random.Next(running.Count));
                    await running[key].DisposeAsync();
                    stops[key]++;
                    running[key] = Start(key.Tenant, Definition(key.Tenant, key.Webhook));
                    break;
                default: Append((ulong)random.Next(1, 4), random.Next(1, 200)); break;
            }

            await StepAsync(TimeSpan.FromSeconds(random.Next(1, 40)), _office);
        }

        foreach (var receiver in _receivers.Values) receiver.Answer = _ => Receiver.Taken;
        await UntilAsync(() => running.Keys.All(k => HasAll(k.Tenant, k.Webhook)), step: TimeSpan.FromMinutes(1));
        foreach (var key in running.Keys) AssertAll(key.Tenant, key.Webhook, stops[key] * WebhookBatch.MaxEvents);
        foreach (var one in running.Values) await one.DisposeAsync();
    }

    private WebhookOffice NewOffice() => new(_documents, _ledger, new PlainClock(_time), _time, new WebhookSeams(() => _master, () => _options, PostAsync, () => { }), (tenant, webhook, _, reason) =>
    {
        _disabled.Enqueue($"{tenant} {webhook} {reason}");
        return Task.CompletedTask;
    }, TimeSpan.Zero);

    private Receiver Of(string tenant, string webhook = "w") => _receivers.GetOrAdd($"{tenant}/{webhook}", _ => new Receiver());

    private TenantWebhook Definition(string tenant, string webhook) =>
        new() { Id = webhook, Url = $"https://x.test/{tenant}/{webhook}", Created = _time.Start, Renewed = _time.Start, Secret = WebhookRequest.NewSecret(tenant, webhook, _master).Sealed };

    private Started Start(string tenant, TenantWebhook? definition = null, WebhookOffice? office = null)
    {
        var courier = new WebhookCourier(tenant, definition ?? Definition(tenant, "w"), office ?? _office, NullLogger.Instance);
        var stop = new CancellationTokenSource();
        return new Started(courier, stop, Task.Run(() => courier.RunAsync(stop.Token)));
    }

    private async Task<WebhookOutcome> PostAsync(WebhookPost post)
    {
        using var body = JsonDocument.Parse(post.Body);
        var root = body.RootElement;
        var receiver = Of(root.GetProperty("tenant").GetString()!, root.GetProperty("webhook").GetString()!);
        string[] ids = [.. root.GetProperty("events").EnumerateArray().Select(e => e.GetProperty("id").GetString()!)];
        Assert.InRange(ids.Length, 1, WebhookBatch.MaxEvents);
        Assert.InRange(post.Body.Length, 1, WebhookBatch.MaxOctets);
        Interlocked.Increment(ref receiver.Asked);
        await receiver.Gate;
        lock (receiver)
        {
            receiver.Posts++;
            var outcome = receiver.Answer(new WebhookBatch(root.GetProperty("id").GetString()!, post.Body));
            if (outcome.IsTaken) receiver.Events.AddRange(ids);
            return outcome;
        }
    }

    private void Append(ulong writer, int count)
    {
        _time.Advance(TimeSpan.FromMilliseconds(10));
        _ledger.Now = StoreTime.FromDateTimeOffset(_time.GetUtcNow());
        _ledger.Append(writer, count);
    }

    /// <summary>Ids of all events of a tenant, as a reader of the whole ledger sees them.</summary>
    private List<string> Expected(string tenant) =>
        [.. new LedgerTail(_ledger).ReadAsync(LedgerCursor.From(default), r => r.Summary!.Tenant == tenant, int.MaxValue, long.MaxValue, default).GetAwaiter().GetResult().Records.SelectMany(EventBody.Of).Select(e => e.Id)];

    private bool HasAll(string tenant, string webhook = "w")
    {
        var receiver = Of(tenant, webhook);
        lock (receiver) return receiver.Events.Distinct().Count() == Expected(tenant).Count;
    }

    private void AssertExact(params string[] tenants)
    {
        foreach (var tenant in tenants) AssertAll(tenant, "w", 0);
    }

    private void AssertAll(string tenant, string webhook, int mostTwice)
    {
        var all = Of(tenant, webhook).Events;
        var got = all.Distinct().ToList();
        Assert.InRange(all.Count - got.Count, 0, mostTwice);
        Assert.Equal(Expected(tenant).Order(), got.Order());
        // The numbers of attempts rise: within a recipient they have to come so.
        var recipients = new LedgerTail(_ledger).ReadAsync(LedgerCursor.From(default), r => r.Summary!.Tenant == tenant, int.MaxValue, long.MaxValue, default).GetAwaiter().GetResult().Records
            .SelectMany(p => EventBody.Of(p).Select(e => (e.Id, p.Record.Key, p.Record.Attempt))).ToDictionary(e => e.Id, e => (e.Key, e.Attempt));
        foreach (var one in got.Select(id => recipients[id]).GroupBy(r => r.Key)) Assert.Equal(one.Select(r => r.Attempt).Order(), one.Select(r => r.Attempt));
    }

    private async Task StepAsync(TimeSpan step, params WebhookOffice[] offices)
    {
        foreach (var office in offices)
            if (office.Feed.IsWanted) await office.Feed.ReadAsync(default);
        _time.Advance(step);
        // Couriers run on other threads: they get one.
        await Task.Delay(1);
    }

    private Task UntilAsync(Func<bool> isSo, TimeSpan step) => UntilAsync(isSo, null, step);

    /// <summary>Lets time and the shared readings go on until it is so.</summary>
    private async Task UntilAsync(Func<bool> isSo, WebhookOffice? also = null, TimeSpan? step = null)
    {
        WebhookOffice[] offices = also is null ? [_office] : [_office, also];
        var began = System.Diagnostics.Stopwatch.GetTimestamp();
        while (!isSo())
        {
            Assert.True(System.Diagnostics.Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(60), "not within a minute: " + string.Join(", ", _receivers.Select(r => $"{r.Key} {r.Value.Events.Count}")));
            await StepAsync(step ?? TimeSpan.FromSeconds(1), offices);
        }
    }

    private sealed class Receiver
    {
        public static WebhookOutcome Taken { get; } = new() { End = WebhookEnd.Answered, Status = 200 };

        /// <summary>Posts that came, answered or not.</summary>
        public int Asked;

        public List<string> Events { get; } = [];

        public int Posts { get; set; }

        public Task Gate { get; set; } = Task.CompletedTask;

        public Func<WebhookBatch, WebhookOutcome> Answer { get; set; } = _ => Taken;
    }

    private sealed record Started(WebhookCourier Courier, CancellationTokenSource Stop, Task Run) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await Stop.CancelAsync();
            await Run;
            Stop.Dispose();
        }
    }
}
