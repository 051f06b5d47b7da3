using Angarium.Contracts.DomainQueues;
using Angarium.Egress.Sessions;
using Angarium.Mail;
using Angarium.TestKit.Peers;

namespace Angarium.Protocol.Client;

/// <summary>Hands a list of messages to a session and keeps what it reports. <paramref name="late"/>: each is ready only after the one before was reported.</summary>
internal sealed class MemoryFeed(IEnumerable<MemoryEntry> entries, TimeProvider time, bool late = false, TimeSpan? lease = null) : ITransactionFeed
{
    private readonly Queue<(MemoryEntry Entry, List<int> Recipients)> waiting = new(entries.Select(entry => (entry, Enumerable.Range(0, entry.Keys.Count).ToList())));
    private readonly Dictionary<HeldGrant, MemoryEntry> origin = [];

    public List<string> Outcomes { get; } = [];

    public List<HeldGrant> Grants { get; } = [];

    public bool IsStopped => false;

    public async Task<MailTransaction?> NextAsync()
    {
        if (late) await Task.Yield();
        if (!waiting.TryDequeue(out var next)) return null;
        var clock = new PlainClock(time);
        var now = clock.Now;
        var grant = new Grant { Lease = (ulong)Grants.Count + 1, Keys = [.. next.Recipients.Select(i => next.Entry.Keys[i])], Attempt = 1, Deadline = now + (lease ?? TimeSpan.FromSeconds(20)) };
        var held = new HeldGrant(grant, "example.net", now, time.GetTimestamp(), clock, time);
        Grants.Add(held);
        origin[held] = next.Entry;
        return new MailTransaction(held, next.Entry, next.Recipients);
    }

    public void Report(MailTransaction transaction, IReadOnlyList<int> recipients, DeliveryVerdict verdict, bool owesRelayedNotice = false)
    {
        foreach (var recipient in recipients) Outcomes.Add(ClientDialog.Describe(transaction.Envelope.Recipients[recipient].Address, verdict, owesRelayedNotice));
    }

    public void Again(MailTransaction transaction, List<int> recipients)
    {
        var entry = origin[transaction.Held];
        // In front, as the feed of a domain does.
        var rest = waiting.ToArray();
        waiting.Clear();
        waiting.Enqueue((entry.Reopen(), recipients));
        foreach (var item in rest) waiting.Enqueue(item);
    }
}
