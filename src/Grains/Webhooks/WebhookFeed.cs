using Angarium.Spool.Ledger;

namespace Angarium.Grains.Webhooks;

/// <summary>
/// One reading of the ledger for all webhooks of a silo that are up to date. Who joins is told the place up to which it has to read for itself; from there on everything comes to its inbox, nothing twice
/// and nothing left out. An inbox that takes no more leaves. Joined and left on any thread; read on one. Nothing survives.
/// </summary>
internal sealed class WebhookFeed(ILedgerStore ledger)
{
    private const int MostRecords = 5_000, MaxOctets = 16 << 20;

    private readonly Lock _gate = new();
    private readonly LedgerTail _tail = new(ledger);
    private readonly List<(string Tenant, WebhookInbox Inbox, TaskCompletionSource<LedgerCursor> Joined)> _joining = [];
    private readonly Dictionary<WebhookInbox, string> _joined = [];
    private LedgerCursor? _place;

    /// <summary>Somebody is here, or wants to be.</summary>
    public bool IsWanted
    {
        get { lock (_gate) return _joining.Count + _joined.Count > 0; }
    }

    /// <summary>Joins at the end of the next reading: behind whatever the inbox's webhook can have read before.</summary>
    public Task<LedgerCursor> JoinAsync(string tenant, WebhookInbox inbox, CancellationToken cancellationToken)
    {
        var joined = new TaskCompletionSource<LedgerCursor>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate) _joining.Add((tenant, inbox, joined));
        return joined.Task.WaitAsync(cancellationToken);
    }

    public void Leave(WebhookInbox inbox)
    {
        lock (_gate)
        {
            _joined.Remove(inbox);
            _joining.RemoveAll(j => j.Inbox == inbox);
        }
    }

    /// <summary>Reads to the end of the ledger, hands out what came, and lets in who asked before it began.</summary>
    public async Task ReadAsync(CancellationToken cancellationToken)
    {
        (string Tenant, WebhookInbox Inbox, TaskCompletionSource<LedgerCursor> Joined)[] joining;
        KeyValuePair<WebhookInbox, string>[] joined;
        lock (_gate) (joining, joined) = ([.. _joining], [.. _joined]);
        // With nobody here nothing has to be read up to where the ledger ends.
        if (joined.Length == 0) _place = null;
        if (_place is null) _place = await _tail.EndAsync(cancellationToken);
        else
        {
            var tenants = joined.Select(j => j.Value).ToHashSet(StringComparer.Ordinal);
            for (var isEnd = false; !isEnd;)
            {
                var page = await _tail.ReadAsync(_place, record => record.Summary is { } summary && tenants.Contains(summary.Tenant), MostRecords, MaxOctets, cancellationToken);
                HandOut(page, joined);
                (_place, isEnd) = (page.Next, page.IsEnd);
            }
        }

        lock (_gate)
        {
            foreach (var one in joining)
            {
                // Who has left meanwhile is not let in.
                if (!_joining.Remove(one)) continue;
                _joined[one.Inbox] = one.Tenant;
                one.Joined.SetResult(_place);
            }
        }
    }

    private void HandOut(LedgerPage page, KeyValuePair<WebhookInbox, string>[] joined)
    {
        var lines = page.Records.GroupBy(r => r.Record.Summary!.Tenant).ToDictionary(g => g.Key, g => (IReadOnlyList<EventLine>)[.. g.SelectMany(EventLine.Of)], StringComparer.Ordinal);
        foreach (var (inbox, tenant) in joined)
            if (!inbox.Add(lines.GetValueOrDefault(tenant, []), page.Next)) Leave(inbox);
    }
}
