using System.Diagnostics;
using Angarium.Contracts.DomainQueues;
using Angarium.Contracts.Telemetry;
using Angarium.Mail;
using Angarium.Spool.Ledger;

namespace Angarium.Grains.DomainQueues;

// What became of attempts: into the ledger first, then acknowledged, then into the index (design rules 6 to 8, 17).
internal sealed partial class DomainQueue
{
    /// <summary>Delivered, as this activation was told under a lease that is over, and on its way into the ledger: what waits here is neither tried nor given up before that is known.</summary>
    private readonly HashSet<RecipientKey> _told = [];

    /// <summary>Records what a worker reports; true = all of it is durable, or an event that changes nothing, and the worker may forget it.</summary>
    private async Task<bool> RecordAsync(string worker, AttemptOutcome[] outcomes)
    {
        var reports = new List<Report>();
        if (outcomes.FirstOrDefault(o => o.Kind is 0 or > OutcomeKind.NotFound) is { } later)
        {
            // A later build's word: whoever knows it will be asked again.
            LogUnknownOutcome(_domain, worker, (int)later.Kind);
            return false;
        }

        // Rule 6: a failure is the owner's decision, and only who holds the token owns what is not fresh.
        if (outcomes.Any(o => o.Kind is OutcomeKind.Failed or OutcomeKind.Deferred && _leases.TryGetValue(o.Lease, out var l) && l.Entry is { } e && e.FreshUntil <= Now)) await ConfirmAsync();
        var foreign = outcomes.Any(o => _leases.TryGetValue(o.Lease, out var l) && l.Worker == worker ? !l.IsOwn
            : o.Kind == OutcomeKind.Delivered || !IsDone(o.Lease) || Without(Waived.StaleDecides));
        var isOwner = !foreign || await ConfirmAsync();
        var complete = isOwner || Without(Waived.HolderListens);
        // From here to the appends in one turn: a lease whose report is gathered cannot end meanwhile.
        foreach (var outcome in outcomes)
        {
            if (!_leases.TryGetValue(outcome.Lease, out var lease) || lease is { IsOwn: false, Recording: 0 })
            {
                // A fact is recorded by whoever learns of it; an event once, by the owner: the worker repeats it until one has. What is on its way into the ledger already is repeated too.
                if (lease is null && _told.Overlaps(outcome.Keys)) complete = false;
                else if (isOwner || outcome.Kind == OutcomeKind.Delivered) GatherForeign(lease, outcome, reports);
            }
            else if (lease.Worker == worker)
            {
                // Its end, or an earlier report of it, is on its way into the ledger: the worker repeats this one, for it must not be acknowledged before that is durable.
                complete &= lease.Recording == 0 && Gather(lease, lease.Entry!, outcome, reports);
            }
        }

        if (reports.Count == 0) return complete;
        foreach (var report in reports)
        {
            if (report.Lease is { } lease) lease.Recording++;
            else if (report.Kind is LedgerKind.Delivered or LedgerKind.Relayed) _told.UnionWith(report.Keys);
        }

        var began = MessageTrace.IsOn ? Stopwatch.GetTimestamp() : 0;
        // A decision is given up when its append has not begun within 10 s; a delivery is a fact and never is.
        var decisions = AppendAsync(reports.Where(r => r.IsDecision).ToList(), DecideBy);
        var facts = AppendAsync(reports.Where(r => !r.IsDecision).ToList(), null);
        var decided = await decisions;
        var recorded = await facts;
        if (began > 0) Trace(reports, Stopwatch.GetElapsedTime(began));
        foreach (var report in reports) Apply(report, report.IsDecision ? decided : recorded);
        Tick();
        // Rule 8: acknowledged only as the owner.
        return complete && decided && recorded && !_deposed && _seams.Standing.IsConfirmed;
    }

    private static void Trace(List<Report> reports, TimeSpan took)
    {
        foreach (var report in reports)
        {
            if (report.Entry is not { } entry || report.Records.Length == 0) continue;
            MessageTrace.Begin("record", ActivityKind.Internal, new MessageId(entry.Message), took)
                ?.SetTag("angarium.outcome", report.Kind.ToString().ToLowerInvariant()).SetTag("angarium.recipients", report.Records.Length).SetTag("angarium.attempt", entry.Attempts + 1).Dispose();
        }
    }

    private async Task<bool> AppendAsync(List<Report> reports, TimeSpan? beginBy)
    {
        var records = reports.SelectMany(r => r.Records).ToList();
        if (records.Count == 0) return true;
        try
        {
            await _seams.Ledger.AppendAsync(records, beginBy);
            return true;
        }
        catch (Exception e) when (IsTrouble(e))
        {
            LogLedgerFailed(_domain, e.Message);
            return false;
        }
    }

    /// <summary>A report under a current lease of this activation: what it makes of each recipient; false = no decision can be taken now.</summary>
    private bool Gather(Lease lease, QueueEntry entry, AttemptOutcome outcome, List<Report> reports)
    {
        var keys = outcome.Keys.Where(lease.Open.Contains).ToArray();
        if (keys.Length == 0) return true;
        var now = Now;
        var born = outcome.Summaries is [{ } first, ..] && first.Accepted != default ? first.Accepted : entry.Born;
        var kind = outcome.Kind switch
        {
            OutcomeKind.Delivered => outcome.OwesRelayedNotice ? LedgerKind.Relayed : LedgerKind.Delivered,
            OutcomeKind.Failed => LedgerKind.Failed,
            OutcomeKind.Deferred when born != default && Retry.IsExpired(born, now) && MayExpire(entry) => LedgerKind.Expired,
            _ => LedgerKind.Deferred,
        };
        // Somebody else's delivery of it is known: nothing is left to decide.
        if (kind != LedgerKind.Delivered && keys.Where(IsFinished).ToArray() is { Length: > 0 } finished)
        {
            foreach (var key in finished) lease.Open.Remove(key);
            reports.Add(new Report(lease, entry, outcome, finished, LedgerKind.Delivered, default, born, []));
            keys = [.. keys.Except(finished)];
            if (keys.Length == 0) return true;
        }

        // Rule 6: a decision is the owner's alone, and none is taken against a delivery that is being recorded. The worker repeats its report until somebody may take it.
        if (kind is LedgerKind.Failed or LedgerKind.Expired && (_told.Overlaps(keys) || !MayDecide(entry) && !Without(Waived.OwnerDecides))) return false;
        var due = kind == LedgerKind.Deferred ? Index.IndexScore.Round(now + Retry.DelayAfter(entry.Attempts + 1, entry.Message)) : default;
        var recorded = outcome.Kind is OutcomeKind.Delivered or OutcomeKind.Deferred or OutcomeKind.Failed;
        reports.Add(new Report(lease, entry, outcome, keys, kind, due, born, recorded ? Records(kind, outcome, keys, entry.Attempts + 1, due, now, entry.IsRecovered) : []));
        foreach (var key in keys) lease.Open.Remove(key);
        return true;
    }

    private bool MayDecide(QueueEntry entry) => MayAct && (entry.FreshUntil > Now || HasToken);

    /// <summary>Rule 20: held and suspended mail does not expire, and neither does what may have been held by an order not loaded yet. Deferred instead, its age is judged again.</summary>
    private bool MayExpire(QueueEntry entry) =>
        MayDecide(entry) && _map is not null && !IsSuspended(PoolOf(entry.Lane.Tenant)) && _control is { Held: false } control && _controlVersion == _seams.Control.Version(_domain) && !control.HeldMessages.Contains(entry.Message);

    /// <summary>
    /// A report under a lease that this activation did not grant, or that has ended: a delivery is a fact, whoever learns of it records it; anything else is an event
    /// and changes nothing.
    /// </summary>
    private void GatherForeign(Lease? lease, AttemptOutcome outcome, List<Report> reports)
    {
        if (lease is null && IsDone(outcome.Lease) && outcome.Kind != OutcomeKind.Delivered && !Without(Waived.StaleDecides)) return;
        // A lease held for its worker ends with the report, and not before that is durable.
        var keys = lease is null ? outcome.Keys : [.. outcome.Keys.Where(lease.Open.Contains)];
        if (keys.Length == 0) return;
        var open = keys.Where(k => !IsFinished(k)).ToArray();
        var kind = outcome.Kind == OutcomeKind.Failed && Without(Waived.StaleDecides) ? LedgerKind.Failed
            : outcome.Kind != OutcomeKind.Delivered ? LedgerKind.StaleReport : outcome.OwesRelayedNotice ? LedgerKind.Relayed : LedgerKind.Delivered;
        var records = outcome.Kind is OutcomeKind.Returned or OutcomeKind.NotFound ? [] : Records(kind, outcome, open, 1, default, Now);
        if (lease is null && records.Length == 0) return;
        reports.Add(new Report(lease, null, outcome, keys, kind, default, default, records));
        if (lease is not null) lease.Open.ExceptWith(keys);
    }

    private static LedgerRecord[] Records(LedgerKind kind, AttemptOutcome outcome, RecipientKey[] keys, int attempt, StoreTime due, StoreTime now, bool isRecovered = false)
    {
        var records = new LedgerRecord[keys.Length];
        // Each carries the envelope: trace outlives the pack, and whoever follows the ledger knows whose it is without having read what was before.
        var withSummary = outcome.Summaries is not null;
        for (var i = 0; i < keys.Length; i++)
        {
            var at = withSummary ? Array.IndexOf(outcome.Keys, keys[i]) : -1;
            var summary = at >= 0 && at < outcome.Summaries!.Length ? outcome.Summaries[at] : null;
            records[i] = new LedgerRecord
            {
                Key = keys[i], Kind = kind, Time = now, Attempt = attempt, Reply = outcome.Reply, Own = outcome.Own, Remote = outcome.Remote, Tls = outcome.Tls,
                PossibleDuplicate = outcome.PossibleDuplicate, IsRecovered = isRecovered, Due = due, Summary = summary is null ? null : new EnvelopeSummary
                {
                    Message = new MessageId(summary.Message), ReversePath = summary.ReversePath, Recipient = summary.Recipient, Tenant = summary.Tenant,
                    Accepted = summary.Accepted, Size = summary.Size, Labels = summary.Labels,
                },
            };
        }

        return records;
    }

    private static LedgerRecord LostRecord(RecipientKey key, Lease lease, StoreTime now) => new()
    {
        Key = key, Time = now, Kind = LedgerKind.LeaseLost, PossibleDuplicate = true, Own = true, Attempt = (lease.Entry?.Attempts ?? 0) + 1,
        Reply = new Reply(451, new EnhancedStatus(4, 3, 0), "the lease of worker " + lease.Worker + " ended without a report"),
    };

    private void Apply(Report report, bool durable)
    {
        if (report.Lease is { } lease)
        {
            lease.Recording--;
            if (!durable)
            {
                // The worker repeats it.
                lease.Open.UnionWith(report.Keys);
                return;
            }

            foreach (var key in report.Keys) _leased.Remove(key);
            if (lease.Open.Count == 0 && lease.Recording == 0) Close(lease);
        }
        else
        {
            _told.ExceptWith(report.Keys);
        }

        if (!durable) return;
        Count(report);
        if (report.Entry is { } entry)
        {
            ApplyOwn(report, entry);
            if (entry.Keys.Length > report.Keys.Length) entry.Keys = [.. entry.Keys.Except(report.Keys)];
        }
        else
        {
            ApplyForeign(report);
        }
    }

    private void ApplyOwn(Report report, QueueEntry entry)
    {
        if (_lost.Count > 0) _lost.Remove(entry.Keys[0]);
        switch (report.Kind)
        {
            case LedgerKind.Delivered:
                Remove(Piece(entry, report.Keys, EntryState.Leased));
                break;
            case LedgerKind.Failed or LedgerKind.Expired or LedgerKind.Relayed:
                StartNotice(Piece(entry, report.Keys, EntryState.Deciding), report.Records);
                break;
            case LedgerKind.Deferred when report.Outcome.Kind == OutcomeKind.NotFound:
                LogNotFound(_domain, entry.Message, report.Lease!.Place.Pack);
                Remove(Piece(entry, report.Keys, EntryState.Leased));
                break;
            case LedgerKind.Deferred when report.Outcome.Kind == OutcomeKind.Returned:
                SendToIndex(Piece(entry, report.Keys, EntryState.Leased), Floor(Now));
                break;
            default:
                if (report.Born != default && Retry.IsDelayNoticeDue(report.Born, entry.Due, entry.Attempts, report.Due, entry.Message))
                    Run(TellOfDelayAsync(report.Lease!.Place, report.Records));
                SendToIndex(Piece(entry, report.Keys, EntryState.Leased, report.Due, entry.Attempts + 1), report.Due);
                break;
        }
    }

    // Delivered under a lease that was another's, or had ended: what waits here for another try is struck. Its row in the index goes when it is read back.
    private void ApplyForeign(Report report)
    {
        if (report.Kind is not (LedgerKind.Delivered or LedgerKind.Relayed)) return;
        foreach (var key in report.Keys)
        {
            if (!_entries.TryGetValue(key, out var entry) || entry.State != EntryState.Ready) continue;
            if (entry.Keys.Length > 1)
            {
                _ready.Leave(entry, EntryState.Gone);
                _ready.Add(Piece(entry, entry.Keys.Where(k => k != key).ToArray(), EntryState.Ready));
            }
            else
            {
                _ready.Leave(entry, EntryState.Gone);
            }

            var struck = Piece(entry, [key], EntryState.Deciding);
            if (report.Kind == LedgerKind.Delivered) Remove(struck);
            else StartNotice(struck, report.Records.Where(r => r.Key == key).ToArray());
        }
    }

    private void Count(Report report)
    {
        if (report.Outcome.PossibleDuplicate) DomainQueueInstruments.PossibleDuplicates.Inc(report.Keys.Length);
        if (report.Records.Length == 0) return;
        var outcome = report.Outcome;
        var pool = report.Lease?.Pool ?? _default;
        DomainQueueInstruments.Count(report.Kind, report.Records.Length, report.Entry?.Lane.Tenant ?? outcome.Summaries?.FirstOrDefault()?.Tenant ?? "", pool.Name);
        if (outcome.Reply is { } reply) DomainQueueInstruments.CountReply(reply, outcome.Own, report.Records.Length);
        if (report.Kind == LedgerKind.Deferred && report.Born != default) DomainQueueInstruments.CountDeferred(pool.Site ?? "", Now - report.Born, report.Records.Length);
        foreach (var record in report.Records) LogOutcome(record, report.Entry, report.Born);
    }

    /// <summary>What a report makes of some recipients.</summary>
    /// <param name="Lease">Null = foreign.</param>
    private sealed record Report(
        Lease? Lease, QueueEntry? Entry, AttemptOutcome Outcome, RecipientKey[] Keys, LedgerKind Kind, StoreTime Due, StoreTime Born, LedgerRecord[] Records)
    {
        public bool IsDecision => Kind is LedgerKind.Failed or LedgerKind.Expired;
    }
}
