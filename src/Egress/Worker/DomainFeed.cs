using System.Diagnostics;
using Angarium.Contracts.DomainQueues;
using Angarium.Contracts.Telemetry;
using Angarium.Egress.Sessions;
using Angarium.Mail;
using Angarium.Spool.Packs;
using Microsoft.Extensions.Logging;

namespace Angarium.Egress.Worker;

/// <summary>
/// A session's dealings with one domain's queue: outcomes out within 20 ms or 8 at a time, the next batch in while the last is on the wire, one call at a
/// time, each repeated until it is answered (design rule 17). It outlives its connection until the last outcome is acknowledged. Every lease granted to it
/// is renewed for as long as it carries that, and no longer. Called from the session's task, its own calls and one timer, under one lock.
/// </summary>
internal sealed partial class DomainFeed : ITransactionFeed
{
    /// <summary>Outcomes that wait for their acknowledgement; beyond these nothing new is asked for, so no more can be lost by a kill.</summary>
    private const int MostUnacknowledged = 64;

    private const int EnoughOutcomes = 8;
    private static readonly TimeSpan LongestHold = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Slow = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Breath = TimeSpan.FromMilliseconds(250);

    private readonly WorkerContext context;
    private readonly string domain;
    private readonly string site;
    private readonly ulong session;
    private readonly ITimer timer;
    private readonly Lock gate = new();
    private readonly Queue<HeldGrant> granted = new();
    private readonly Queue<(HeldGrant Held, RecipientKey[] Keys)> again = new();
    private readonly List<(AttemptOutcome Outcome, HeldGrant Held)> outbox = [];

    /// <summary>Granted, and not reported for all of its recipients.</summary>
    private readonly HashSet<HeldGrant> carried = [];

    private Task<MailTransaction?> asked = Task.FromResult<MailTransaction?>(null);
    private FeedState state;
    private TaskCompletionSource? changed;
    private TaskCompletionSource? settled;
    private bool calling, asking, isDry, hurried, settling;
    private long outboxSince, askNotBefore, lastStart;
    private int number, budget, taken, appetite = 2;

    private enum FeedState
    {
        Open,

        /// <summary>Carries what is granted or was asked for, asks for no more.</summary>
        Finishing,

        /// <summary>Returns what is granted.</summary>
        Stopped,
    }

    public DomainFeed(WorkerContext context, string domain, string site, int maxMessages)
    {
        this.context = context;
        this.domain = domain;
        this.site = site;
        session = context.Draw();
        budget = maxMessages > 0 ? maxMessages : int.MaxValue;
        timer = context.Time.CreateTimer(static self => ((DomainFeed)self!).Look(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>The connection that outcomes speak of.</summary>
    public SmtpConnection? Connection { get; set; }

    /// <summary>Least time between the starts of two transactions.</summary>
    public TimeSpan Spacing { get; set; }

    /// <summary>Messages begun.</summary>
    public int Taken
    {
        get
        {
            lock (gate) return taken;
        }
    }

    public bool IsUsedUp
    {
        get
        {
            lock (gate) return taken >= budget;
        }
    }

    public bool IsStopped
    {
        get
        {
            lock (gate) return state == FeedState.Stopped;
        }
    }

    /// <summary>Asks for no more; what is granted is still carried.</summary>
    public void Finish() => Turn(FeedState.Finishing);

    /// <summary>Returns what is granted and not begun.</summary>
    public void Stop() => Turn(FeedState.Stopped);

    /// <summary>Told dry, but outcomes are about to leave anyway: they ask once more. False: there are none.</summary>
    public bool AskOnceMore()
    {
        lock (gate)
        {
            if (outbox.Count == 0 || state != FeedState.Open || taken >= budget) return false;
            isDry = false;
            hurried = true;
            Call();
            return true;
        }
    }

    /// <summary>Looks again whether a call is due: what forbade it may have passed.</summary>
    public void Look()
    {
        lock (gate) Call();
    }

    /// <summary>
    /// The session is done with it, however that came: returns what was not begun, also what was asked for and had not come, until every outcome is acknowledged. What was begun and
    /// is reported by nobody is a defect: it is renewed no more, so that its lease ends by itself and is counted (design rule 17).
    /// </summary>
    public async Task EndAsync()
    {
        Stop();
        await ((Task)asked).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        if (asked is { IsCompletedSuccessfully: true, Result: { } late })
        {
            if (late.Started == 0 && IsCarried(late.Held)) Report(late, late.Recipients, ReturnedUnsent);
            late.Dispose();
        }

        await WhenSettledAsync();
        timer.Dispose();
        HeldGrant[] left;
        lock (gate) left = [.. carried];
        if (left.Length == 0) return;
        LeasesDropped(asked.Exception, left.Length);
        foreach (var held in left) context.Leases.Drop(held);
    }

    /// <summary>Every outcome is acknowledged: from now on none waits for company.</summary>
    private Task WhenSettledAsync()
    {
        lock (gate)
        {
            settling = true;
            Call();
            if (outbox.Count == 0 && !calling) return Task.CompletedTask;
            return (settled ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }
    }

    public Task<MailTransaction?> NextAsync() => asked = NextOrNoneAsync();

    private async Task<MailTransaction?> NextOrNoneAsync()
    {
        while (true)
        {
            HeldGrant? held = null;
            RecipientKey[]? keys = null;
            Task? wait = null;
            TimeSpan pause = default;
            lock (gate)
            {
                if (state != FeedState.Stopped && again.TryDequeue(out var rest))
                {
                    (held, keys) = rest;
                }
                else if (state != FeedState.Stopped && granted.TryDequeue(out held))
                {
                    keys = held.Grant.Keys;
                    taken++;
                    Call();
                }
                else if (state == FeedState.Stopped || taken >= budget || (state == FeedState.Finishing ? !asking : isDry && !calling))
                {
                    // What was asked for is carried: given back it would wait for as long as what an activation reads back (design rules 15 and 16).
                    return null;
                }
                else
                {
                    Call();
                    wait = (changed ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
                }

                if (held is not null && Spacing > TimeSpan.Zero)
                {
                    pause = lastStart == 0 ? TimeSpan.Zero : Spacing - context.Time.GetElapsedTime(lastStart);
                    lastStart = context.Time.GetTimestamp() + (pause > TimeSpan.Zero ? (long)(pause.TotalSeconds * context.Time.TimestampFrequency) : 0);
                }
            }

            if (wait is not null)
            {
                await wait;
                continue;
            }

            if (pause > TimeSpan.Zero) await Task.Delay(pause, context.Time);
            if (await OpenAsync(held!, keys!) is { } transaction) return transaction;
        }
    }

    public void Report(MailTransaction transaction, IReadOnlyList<int> recipients, DeliveryVerdict verdict, bool owesRelayedNotice = false)
    {
        var entry = transaction.Entry;
        var envelope = transaction.Envelope;
        var keys = new RecipientKey[recipients.Count];
        var summaries = new RecipientSummary[recipients.Count];
        for (var i = 0; i < keys.Length; i++)
        {
            keys[i] = entry.Keys[recipients[i]];
            summaries[i] = new RecipientSummary
            {
                Message = entry.Message.First, ReversePath = envelope.ReversePath, Recipient = envelope.Recipients[recipients[i]].Address, Tenant = envelope.Tenant,
                Accepted = envelope.Accepted, Size = entry.ContentLength, Labels = envelope.Labels,
            };
        }

        var took = context.Time.GetElapsedTime(transaction.Started);
        if (verdict.Kind != OutcomeKind.Returned)
        {
            var outcome = NameOf(verdict.Kind);
            EgressInstruments.Attempts.WithLabels(outcome).Observe(took.TotalSeconds);
            if (Connection?.From is { } from) EgressInstruments.SourceAttempts.WithLabels(from.Pool, from.Source, outcome).Inc(keys.Length);
            Trace(entry.Message, transaction.Held.Grant, verdict, outcome, keys.Length, took);
            context.LogAttempt(entry.Message, domain, summaries, transaction.Held.Grant.Attempt, verdict, Connection, envelope.Accepted, context.Time.GetElapsedTime(transaction.Held.AskedAt, transaction.Started), took);
        }

        if (verdict.IsDamaged)
        {
            EntryCorrupt(transaction.Held.Grant.Place, entry.Message);
            EgressInstruments.CorruptEntries.Inc();
        }

        if (took > Slow)
        {
            lock (gate) appetite = 1;
        }

        Add(transaction.Held, keys, verdict, owesRelayedNotice, summaries);
    }

    private void Trace(MessageId message, Grant grant, DeliveryVerdict verdict, string outcome, int recipients, TimeSpan took)
    {
        if (MessageTrace.Begin("attempt", ActivityKind.Client, message, took) is not { } span) return;
        span.SetTag("angarium.attempt", grant.Attempt).SetTag("angarium.outcome", outcome).SetTag("angarium.recipients", recipients).SetTag("server.address", Connection?.Remote)
            .SetTag("angarium.source", Connection?.From?.Source).SetTag("smtp.reply.code", verdict.Reply.Code).SetTag("smtp.reply.status", verdict.Reply.Status.ToString()).SetTag("angarium.reply.own", verdict.Own);
        if (verdict.Kind != OutcomeKind.Delivered) span.SetStatus(ActivityStatusCode.Error, outcome);
        span.Dispose();
    }

    public void Again(MailTransaction transaction, List<int> recipients)
    {
        var keys = recipients.ConvertAll(i => transaction.Entry.Keys[i]).ToArray();
        lock (gate)
        {
            if (state != FeedState.Stopped)
            {
                again.Enqueue((transaction.Held, keys));
                Wake();
                return;
            }
        }

        Add(transaction.Held, keys, ReturnedUnsent, false, null);
    }

    private static DeliveryVerdict ReturnedUnsent { get; } = DeliveryVerdict.Of(AttemptStage.Mail, AttemptFault.Stopping, "not tried: the session ended");

    private async Task<MailTransaction?> OpenAsync(HeldGrant held, RecipientKey[] keys)
    {
        SpoolRead<SpooledEntry> read;
        try
        {
            read = await context.Spool.ReadEntryAsync(held.Grant.Place, CancellationToken.None);
        }
        catch (IOException e)
        {
            SpoolUnreadable(held.Grant.Place, e.Message);
            Add(held, keys, DeliveryVerdict.Of(AttemptStage.Mail, AttemptFault.SpoolUnavailable, ""), false, null);
            return null;
        }

        if (read.Status == SpoolReadStatus.NotFound || (read.Status == SpoolReadStatus.Found && read.Value is null))
        {
            Add(held, keys, NotFound, false, null);
            return null;
        }

        if (read.Value is not { } entry)
        {
            EntryCorrupt(held.Grant.Place, new MessageId(held.Grant.Message));
            EgressInstruments.CorruptEntries.Inc();
            Add(held, keys, DeliveryVerdict.Of(AttemptStage.Mail, AttemptFault.Corrupt, ""), false, null);
            return null;
        }

        // Another domain's: its queue was told of mail that is not its own, and must not have it carried to its hosts.
        if (entry.Domain != domain)
        {
            EntryOfAnother(held.Grant.Place, entry.Message, entry.Domain);
            Add(held, keys, NotFound, false, null);
            entry.Dispose();
            return null;
        }

        var recipients = new List<int>(keys.Length);
        List<RecipientKey>? strangers = null;
        foreach (var key in keys)
        {
            var index = IndexOf(entry.Keys, key);
            if (index >= 0) recipients.Add(index);
            else (strangers ??= []).Add(key);
        }

        if (strangers is not null) Add(held, strangers.ToArray(), NotFound, false, null);
        if (recipients.Count > 1 && entry.Envelope.ReturnTag is not null) Split(held, entry, recipients);
        if (recipients.Count > 0) return new MailTransaction(held, entry, recipients);
        entry.Dispose();
        return null;
    }

    /// <summary>A return path of one's own is a transaction of one's own: all but the first come next, before anything else.</summary>
    private void Split(HeldGrant held, SpooledEntry entry, List<int> recipients)
    {
        lock (gate)
        {
            foreach (var recipient in recipients.Skip(1)) again.Enqueue((held, [entry.Keys[recipient]]));
            if (state == FeedState.Stopped && ReturnUnsent()) Call();
        }

        recipients.RemoveRange(1, recipients.Count - 1);
    }

    private static DeliveryVerdict NotFound { get; } =
        new(OutcomeKind.NotFound, VerdictScope.Message, new Reply(451, new(4, 3, 0), "the message is not at the place that its grant names"), Own: true);

    private static int IndexOf(IReadOnlyList<RecipientKey> keys, RecipientKey key)
    {
        for (var i = 0; i < keys.Count; i++)
            if (keys[i] == key) return i;
        return -1;
    }

    private void Add(HeldGrant held, RecipientKey[] keys, DeliveryVerdict verdict, bool owesRelayedNotice, RecipientSummary[]? summaries)
    {
        lock (gate)
        {
            Put(held, keys, verdict, owesRelayedNotice, summaries);
            Call();
        }
    }

    private void Put(HeldGrant held, RecipientKey[] keys, DeliveryVerdict verdict, bool owesRelayedNotice, RecipientSummary[]? summaries)
    {
        if ((held.Unreported -= keys.Length) <= 0) carried.Remove(held);
        if (outbox.Count == 0) outboxSince = context.Time.GetTimestamp();
        outbox.Add((new AttemptOutcome
        {
            Lease = held.Grant.Lease, Keys = keys, Kind = verdict.Kind, Reply = verdict.Reply, Own = verdict.Own, Remote = Connection?.Remote, Tls = Connection?.Tls,
            PossibleDuplicate = verdict.PossibleDuplicate, OwesRelayedNotice = owesRelayedNotice, Place = held.Grant.Place, Summaries = summaries,
        }, held));
    }

    private bool IsCarried(HeldGrant held)
    {
        lock (gate) return carried.Contains(held);
    }

    private void Turn(FeedState to)
    {
        lock (gate)
        {
            if (to > state) state = to;
            if (state == FeedState.Stopped && ReturnUnsent()) Call();
            Wake();
        }
    }

    /// <summary>What was granted and not begun goes out with the next call, all of it at once.</summary>
    private bool ReturnUnsent()
    {
        if (granted.Count == 0 && again.Count == 0) return false;
        foreach (var held in granted) Put(held, held.Grant.Keys, ReturnedUnsent, false, null);
        foreach (var (held, keys) in again) Put(held, keys, ReturnedUnsent, false, null);
        granted.Clear();
        again.Clear();
        return true;
    }

    /// <summary>Begins a call when there is reason for one; else sets the timer for when there may be.</summary>
    private void Call()
    {
        if (calling) return;
        var now = context.Time.GetTimestamp();
        var want = Want();
        if (outbox.Count == 0 && want == 0)
        {
            settled?.TrySetResult();
            settled = null;
            return;
        }

        if (now < askNotBefore)
        {
            timer.Change(context.Time.GetElapsedTime(now, askNotBefore) + TimeSpan.FromMilliseconds(1), Timeout.InfiniteTimeSpan);
            return;
        }

        if (outbox.Count > 0 && outbox.Count < EnoughOutcomes && want == 0 && !hurried && !settling)
        {
            var left = LongestHold - context.Time.GetElapsedTime(outboxSince, now);
            if (left > TimeSpan.Zero)
            {
                timer.Change(left, Timeout.InfiniteTimeSpan);
                return;
            }
        }

        hurried = false;
        calling = true;
        asking = want > 0;
        var sending = outbox.ToArray();
        outbox.Clear();
        var request = new ExchangeRequest
        {
            Session = session, Number = ++number, Worker = context.Name, Site = site, Want = want, MaxRecipients = context.Options.MaxRecipients,
            Outcomes = Array.ConvertAll(sending, item => item.Outcome),
        };
        _ = CallAsync(request, sending);
    }

    // Half a batch in hand is enough to ask in time for the next.
    private int Want()
    {
        if (state != FeedState.Open || isDry || !context.MayAsk || outbox.Count > MostUnacknowledged) return 0;
        var most = Math.Min(appetite, budget - taken);
        return granted.Count * 2 > most ? 0 : Math.Max(0, most - granted.Count);
    }

    private async Task CallAsync(ExchangeRequest request, (AttemptOutcome Outcome, HeldGrant Held)[] sending)
    {
        await Task.Yield();
        var pause = TimeSpan.FromMilliseconds(100);
        while (true)
        {
            var sentAt = context.Clock.Now;
            var sentTimestamp = context.Time.GetTimestamp();
            try
            {
                var answer = await context.Gateway.ExchangeAsync(domain, request with { SentAt = sentAt });
                Take(answer, request, sending, sentAt, sentTimestamp);
                return;
            }
            catch (Exception e)
            {
                // Lost on the way there or back: the same number gets the same answer. A session that is wanted elsewhere does not wait for it.
                ExchangeFailed(domain, request.Number, request.Outcomes.Length, e.Message);
                lock (gate)
                {
                    asking = false;
                    Wake();
                }
            }

            if (context.IsOver)
            {
                lock (gate)
                {
                    (calling, asking) = (false, false);
                    Wake();
                    settled?.TrySetResult();
                }

                return;
            }

            await Task.Delay(pause, context.Time);
            if (pause < TimeSpan.FromSeconds(2)) pause *= 2;
        }
    }

    private void Take(ExchangeAnswer answer, ExchangeRequest request, (AttemptOutcome Outcome, HeldGrant Held)[] sending, StoreTime sentAt, long sentTimestamp)
    {
        var acknowledged = answer.Acknowledged || sending.Length == 0;
        if (acknowledged)
        {
            foreach (var (outcome, held) in sending) context.Leases.Acknowledge(held, outcome.Keys.Length);
        }

        var grants = Array.ConvertAll(answer.Grants, grant => new HeldGrant(grant, domain, sentAt, sentTimestamp, context.Clock, context.Time));
        foreach (var held in grants) context.Leases.Add(held);
        lock (gate)
        {
            (calling, asking) = (false, false);
            if (!acknowledged)
            {
                if (outbox.Count == 0) outboxSince = context.Time.GetTimestamp();
                outbox.InsertRange(0, sending);
            }

            foreach (var held in grants) granted.Enqueue(held);
            carried.UnionWith(grants);
            // Before it can be settled: nothing calls for what comes after that.
            if (state == FeedState.Stopped) ReturnUnsent();
            if (request.Want > 0)
            {
                isDry = answer.Next == ExchangeNext.Dry;
                if (grants.Length == request.Want) appetite = Math.Min(context.Options.Batch, appetite * 2);
            }

            var breath = answer.Next == ExchangeNext.Wait ? answer.RetryAfter : TimeSpan.Zero;
            // An answer that neither grants nor says why must not make a tight loop.
            if (breath < Breath && (!acknowledged || (request.Want > 0 && grants.Length == 0 && !isDry))) breath = Breath;
            askNotBefore = context.Time.GetTimestamp() + (long)(breath.TotalSeconds * context.Time.TimestampFrequency);
            Wake();
            Call();
        }
    }

    private void Wake()
    {
        var waiting = changed;
        changed = null;
        waiting?.TrySetResult();
    }

    private static string NameOf(OutcomeKind kind) => kind switch
    {
        OutcomeKind.Delivered => "delivered",
        OutcomeKind.Deferred => "deferred",
        OutcomeKind.Failed => "failed",
        _ => "not_found",
    };
}
