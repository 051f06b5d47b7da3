using System.Text;
using System.Text.RegularExpressions;
using Angarium.Contracts.DomainQueues;
using Angarium.Mail;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;

namespace Angarium.Simulation.World;

/// <summary>
/// The account of every recipient and the promises, looked at in the step in which something happens to one: made durable, leased, sent, recorded, deleted. What breaks a promise ends the run.
/// </summary>
internal sealed partial class SimAccount(SimWorld world)
{
    /// <summary>Any two clocks may be so far apart and all is well; with a little for what rounds.</summary>
    private static readonly TimeSpan s_skew = TimeSpan.FromSeconds(5.1);

    private readonly Dictionary<RecipientKey, SimRecipient> _byKey = [];
    private readonly Dictionary<string, SimRecipient> _byAddress = [];
    private readonly Dictionary<(object, ulong, int), (ExchangeAnswer Answer, StoreTime At)> _answers = [];
    /// <summary>When each lease was granted; the answer may come later, and more than once.</summary>
    private readonly Dictionary<ulong, StoreTime> _granted = [];
    private readonly Dictionary<string, List<SimRecipient>> _notices = [];
    private readonly HashSet<PackId> _known = [];
    private readonly List<string> _faults = [];

    public List<string> Wrongs { get; } = [];

    /// <summary>Durable and not finished.</summary>
    public int Open { get; private set; }

    public int Second { get; private set; }

    public IEnumerable<SimRecipient> All => _byKey.Values;

    private StoreTime Now => world.Loop.Now;

    /// <summary>Whom a transaction is for. Notices to one sender are told apart by what they say and who has them in hand.</summary>
    public SimRecipient? Find(SimWorker worker, string address, ReadOnlySpan<byte> content)
    {
        if (_byAddress.TryGetValue(address, out var recipient)) return recipient;
        SimRecipient? found = null;
        foreach (var notice in _notices.GetValueOrDefault(address) ?? [])
        {
            if (!content.EndsWith(notice.Content.Span) || Current(worker, notice) is not { } grant) continue;
            if (found is null || !grant.IsReported) found = notice;
        }

        return found;
    }

    public SimRecipient? Find(string address) => _byAddress.GetValueOrDefault(address);

    public void Wrong(string what, SimRecipient? recipient = null)
    {
        var text = new StringBuilder(what);
        if (recipient is not null)
        {
            text.Append($": {recipient.Address}, key {recipient.Key} of pack {recipient.Key.Writer:x}/{recipient.Key.Pack}");
            foreach (var line in recipient.Events.TakeLast(40)) text.Append("\n    ").Append(line);
        }

        else
        {
            foreach (var line in _faults.TakeLast(40)) text.Append("\n    ").Append(line);
        }

        Wrongs.Add(text.ToString());
    }

    public void Note(SimRecipient recipient, string what)
    {
        if (world.IsVerbose) recipient.Events.Add($"{(Now - world.Start).TotalSeconds,9:f3} {what}");
    }

    public void NoteAll(string what)
    {
        if (!world.IsVerbose) return;
        _faults.Add($"{(Now - world.Start).TotalSeconds,9:f3} {what}");
        foreach (var recipient in _byKey.Values.Where(r => r.FinishedAt is null)) Note(recipient, what);
    }

    /// <summary>An entry of a birth pack became durable.</summary>
    public void Durable(PackEntry entry, EntryRecord record, ReadOnlyMemory<byte> content)
    {
        for (var i = 0; i < entry.Keys.Count; i++)
        {
            var key = entry.Keys[i];
            var isNotice = record.Envelope.ReversePath.Length == 0;
            var address = record.Envelope.Recipients[i].Address;
            var recipient = new SimRecipient(key, address, record.Envelope.Tenant, Now) { IsNotice = isNotice, Message = entry.Message.First, NotBefore = record.Envelope.NotBefore, Content = content.ToArray(), IsAcknowledged = isNotice };
            if (!isNotice && _byAddress.TryGetValue(address, out var twin))
            {
                Note(twin, $"durable a second time as {key}");
                if (twin.FinishedAt is not null || twin.Deliveries.Count > 0) Wrong("a message that was committed and delivered was committed again", twin);
            }

            if (!_byKey.TryAdd(key, recipient))
            {
                Wrong("a recipient's key was given again", recipient);
                continue;
            }

            if (!isNotice) _byAddress[address] = recipient;
            else if (_notices.TryGetValue(address, out var notices)) notices.Add(recipient);
            else _notices[address] = [recipient];
            Open++;
            Note(recipient, $"durable, tenant {recipient.Tenant}");
        }

        if (record.Envelope.ReversePath.Length > 0) return;
        foreach (Match told in Told().Matches(Encoding.Latin1.GetString(content.Span)))
        {
            if (!_byAddress.TryGetValue(told.Groups[1].Value, out var about)) continue;
            if (told.Groups[2].Value != "failed") continue;
            about.ToldAt ??= Now;
            Note(about, "its notice is durable");
        }
    }

    public void Acknowledged(string address)
    {
        if (_byAddress.TryGetValue(address, out var recipient)) recipient.IsAcknowledged = true;
        else if (world.Breaks != Breaks.WriterId) Wrongs.Add($"{address} was acknowledged and never durable");
        if (recipient is not null) Note(recipient, "acknowledged");
    }

    /// <summary>The writer of a pack was told that it is there.</summary>
    public void Known(PackId pack) => _known.Add(pack);

    /// <summary>A client was told to come again.</summary>
    public void Refused(string address)
    {
        if (!_byAddress.TryGetValue(address, out var recipient)) return;
        Note(recipient, "refused, though durable");
        if (_known.Contains(recipient.Key.PackId)) Wrong("the writer knew it durable and refused it", recipient);
    }

    public void Recorded(LedgerRecord record, ulong writer)
    {
        if (!_byKey.TryGetValue(record.Key, out var recipient)) return;
        Note(recipient, $"recorded {record.Kind} by {writer:x} {record.Reply?.Code}");
        if (record.Decides && record.Kind != LedgerKind.Relayed)
        {
            recipient.DecidedAt ??= Now;
            if (record.Kind == LedgerKind.Expired && recipient.Failures == 0 && !world.Peers.HasFailed(recipient.DurableAt - s_skew)) Wrong("expired without a failure", recipient);
            if (record.Kind == LedgerKind.Failed && recipient.Refusals == 0) Wrong("failed without a refusal", recipient);
            foreach (var grant in recipient.Grants)
            {
                if ((!grant.IsReported || grant.IsDelivered) && !grant.Worker.IsUnaware && grant.Until - s_skew > Now) Wrong("decided while it is leased", recipient);
            }
        }

        if (record.Kind == LedgerKind.Dropped) recipient.DroppedAt ??= Now;
        if (!record.Finishes || recipient.FinishedAt is not null) return;
        if (record.Kind == LedgerKind.Delivered && recipient.Deliveries.Count == 0) Wrong("recorded as delivered and never sent", recipient);
        recipient.FinishedAt = Now;
        Open--;
    }

    /// <summary>
    /// Its silo was told that the record is durable. What it does not know of a deferral does not defer; nor does what it hears when the domain is another's: it could write that into the index
    /// as the owner only (rules 8 and 14), and the owner goes by what is there.
    /// </summary>
    public void Heard(Kernel.SimProcess silo, LedgerRecord record)
    {
        if (record.Kind != LedgerKind.Deferred || !_byKey.TryGetValue(record.Key, out var recipient) || world.Index.IsOfAnother(silo, recipient.Domain)) return;
        (recipient.NextDue, recipient.DeferredAt) = (record.Due, Now);
    }

    /// <summary>No pack holds it any more.</summary>
    public void Vanished(RecipientKey key, PackName pack)
    {
        if (!_byKey.TryGetValue(key, out var recipient)) return;
        Note(recipient, $"its last pack {pack} is deleted");
        if (recipient.FinishedAt is null) Wrong("deleted and not finished", recipient);
    }

    public void Granted(SimWorker worker, Grant grant, StoreTime asked)
    {
        asked = StoreTime.Min(asked, _granted.GetValueOrDefault(grant.Lease, asked));
        foreach (var key in grant.Keys)
        {
            if (!_byKey.TryGetValue(key, out var recipient)) continue;
            var held = new SimGrant(worker, grant.Lease, asked, Now) { Until = grant.Deadline };
            recipient.Grants.Add(held);
            Note(recipient, $"granted to {worker.Process.Name}, lease {grant.Lease:x}, attempt {grant.Attempt}, until {(grant.Deadline - world.Start).TotalSeconds:f1}, from pack {grant.Place.Pack}");
            // What came when its time was over is not used.
            if (grant.Deadline + s_skew / 2 < Now) continue;
            if (recipient.FinishedAt + TimeSpan.FromHours(1) < asked)
            {
                if (recipient.HauntsAgain(Now, world.LastLoss)) Wrong("finished long ago and leased again and again", recipient);
                continue;
            }

            if (recipient.NotBefore - s_skew > Now) Wrong("leased before its not-before", recipient);
            if (recipient.DecidedAt < asked) Wrong("decided and leased again", recipient);
            if (recipient.ToldAt < asked) Wrong("its sender was told, and it is leased again", recipient);
            foreach (var other in recipient.Grants)
            {
                if (other.Lease != grant.Lease && !other.IsReported && other.Until - s_skew > Now) Wrong("leased twice at a time", recipient);
            }

            var lost = StoreTime.Max(world.LastLoss, world.Index.MovedAt(recipient.Domain)) + TimeSpan.FromSeconds(60);
            if (recipient.NextDue - TimeSpan.FromSeconds(6) > Now && recipient.DeferredAt > StoreTime.Max(lost, world.Index.Link.LateAt)) Wrong("leased before it was due", recipient);
            if (world.HeldSince(recipient) is { } since && since + TimeSpan.FromSeconds(60) < asked) Wrong("held and leased", recipient);
        }
    }

    public void Renewed(SimWorker worker, RecipientKey key, ulong lease, StoreTime until)
    {
        if (!_byKey.TryGetValue(key, out var recipient)) return;
        foreach (var grant in recipient.Grants)
        {
            // One that has ended is held for its report, and sends nothing any more.
            if (grant.Worker != worker || grant.Lease != lease || HasEnded(grant)) continue;
            // An answer from before its worker stood still may be over when it is read.
            if (!grant.IsReported && until - s_skew > Now && recipient.Grants.Exists(other => other.Lease != lease && !other.IsReported && other.Until - s_skew > Now)) Wrong("renewed while another has it", recipient);
            grant.Until = StoreTime.Max(grant.Until, until);
            Note(recipient, $"lease {lease:x} is renewed until {(until - world.Start).TotalSeconds:f1}");
        }
    }

    public void Reported(SimWorker worker, AttemptOutcome outcome)
    {
        foreach (var key in outcome.Keys)
        {
            if (!_byKey.TryGetValue(key, out var recipient)) continue;
            Note(recipient, $"{worker.Process.Name} reports {outcome.Kind} {outcome.Reply?.Code} of lease {outcome.Lease:x}");
            if (outcome.Kind == OutcomeKind.Deferred) recipient.Failures++;
            foreach (var grant in recipient.Grants)
            {
                if (grant.Worker == worker && grant.Lease == outcome.Lease) (grant.IsReported, grant.IsDelivered) = (true, outcome.Kind == OutcomeKind.Delivered);
            }
        }
    }

    /// <summary>Rule 17: a repeat gets the same answer. Rule 9: nothing is granted that could not be recorded.</summary>
    public void Answered(Kernel.SimProcess at, object queue, ulong session, int number, ExchangeAnswer answer)
    {
        if (answer.Grants.Length > 0 && world.Silos.Find(s => s.Process == at) is { Writer.IsHealthy: false } silo && !_answers.ContainsKey((queue, session, number))) Wrong($"granted on {silo.Process.Name} while nothing could be recorded there");
        foreach (var grant in answer.Grants) _granted.TryAdd(grant.Lease, Now);
        if (!answer.Acknowledged) return;
        if (_answers.TryGetValue((queue, session, number), out var first) && first.Answer != answer && first.Answer.Grants.Length > 0 && Now - first.At < TimeSpan.FromSeconds(50)) Wrongs.Add("a repeated exchange was answered anew, and what was granted first lies idle");
        _answers[(queue, session, number)] = (answer, Now);
    }

    /// <summary>The final dot is on its way.</summary>
    public void Dot(SimWorker worker, SimRecipient recipient)
    {
        Note(recipient, $"{worker.Process.Name} sends the dot");
        if (Current(worker, recipient) is not { } grant) return;
        if (grant.Until + s_skew / 2 < Now && !worker.IsUnaware) Wrong("sent after its lease had ended", recipient);
        if (recipient.DecidedAt is { } decided && decided > grant.ReceivedAt && !worker.IsUnaware) Wrong("decided while a lease of it ran", recipient);
    }

    /// <summary>A receiver took it.</summary>
    public void Delivered(SimWorker worker, SimRecipient recipient, ReadOnlySpan<byte> content, bool isCut)
    {
        Note(recipient, "delivered" + (isCut ? ", and the reply is lost" : ""));
        if (!content.EndsWith(recipient.Content.Span)) Wrong("other content was delivered than accepted", recipient);
        if (Current(worker, recipient) is not { } grant)
        {
            Wrong("sent without a lease", recipient);
            return;
        }

        grant.IsCut |= isCut;
        foreach (var (_, earlier) in recipient.Deliveries)
        {
            Second++;
            // The owner may not have heard yet that it is recorded.
            if (recipient.FinishedAt + TimeSpan.FromSeconds(4) < grant.AskedAt) Wrong("recorded as delivered and leased again", recipient);
            if (earlier == grant && !earlier.IsCut) Wrong("sent twice under one lease", recipient);
            if (earlier != grant && !earlier.IsCut && earlier.Until - s_skew > grant.ReceivedAt && !earlier.Worker.IsUnaware && !worker.IsUnaware) Wrong("delivered twice at a time", recipient);
        }

        recipient.Deliveries.Add((Now, grant));
    }

    public void Failed(string address, int code)
    {
        if (Find(address) is not { } recipient) return;
        recipient.Failures++;
        if (code is >= 500 and < 600) recipient.Refusals++;
        Note(recipient, $"refused with {code}");
    }

    /// <summary>What must be true in the end.</summary>
    public void Close()
    {
        foreach (var recipient in _byKey.Values)
        {
            if (recipient.FinishedAt is null) Note(recipient, world.Whereabouts(recipient));
            if (recipient.FinishedAt is null) Wrong(recipient.IsAcknowledged ? "acknowledged and never finished" : "durable and never finished", recipient);
            else if (recipient.Deliveries.Count == 0 && recipient.ToldAt is null && recipient.DroppedAt is null && !(recipient.IsNotice && recipient.DecidedAt is not null)) Wrong("neither delivered nor its sender told", recipient);
            if (Wrongs.Count > 0) return;
        }
    }

    /// <summary>A worker whose clocks stood still goes by them: until they say so its lease has not ended, and what is renewed then is renewed for it.</summary>
    private bool HasEnded(SimGrant grant) => grant.Until + s_skew / 2 < Now && !(grant.Worker.IsUnaware && grant.Worker.Process.Clock.Now < grant.Until);

    private static SimGrant? Current(SimWorker worker, SimRecipient recipient)
    {
        SimGrant? current = null;
        foreach (var grant in recipient.Grants)
        {
            if (grant.Worker == worker && (current is null || grant.Until >= current.Until)) current = grant;
        }

        return current;
    }

    [GeneratedRegex(@"Final-Recipient: rfc822; ?(\S+)\r\nAction: (\w+)")]
    private static partial Regex Told();
}
