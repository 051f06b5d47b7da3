using Angarium.Contracts.Webhooks;
using Angarium.Grains.Tenants;
using Angarium.Mail;
using Angarium.Spool.Ledger;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains.Webhooks;

/// <summary>
/// Carries a tenant's events to one webhook, one batch at a time and in order. Up to date it is fed by the reading that all share. Behind (new, started again, slow, or failed) it reads for itself, page
/// by page, until it is where the shared reading was when it joined that. What fails leaves the shared reading and keeps nothing but its batch, or not even that: all the rest waits in the ledger.
/// <para>
/// One loop. Its place in the ledger and its standing are stored at once when a post failed, else every five seconds: what was posted since is posted again after a crash, with the same ids of events. Of
/// two silos that both take it for theirs the one that stores second finds the other's place, and goes on there.
/// </para>
/// </summary>
internal sealed partial class WebhookCourier(string tenant, TenantWebhook definition, WebhookOffice office, ILogger log)
{
    private const int MostRecords = 200, MaxOctets = 16 << 20;

    private static readonly TimeSpan s_storeEvery = TimeSpan.FromSeconds(5), s_storeIdle = TimeSpan.FromMinutes(10), s_pause = TimeSpan.FromSeconds(5), s_breath = TimeSpan.FromSeconds(1), s_last = TimeSpan.FromSeconds(3);

    /// <summary>Who needs longer is slow: it must not hold all places that posts have.</summary>
    private static readonly TimeSpan s_quick = TimeSpan.FromSeconds(2);

    /// <summary>Posted, and behind <see cref="_cursor"/>: of a part of the ledger that is not posted whole.</summary>
    private readonly HashSet<string> _posted = [];

    private volatile TenantWebhook _definition = definition;
    private volatile TaskCompletionSource _redefined = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _isUpToDate;
    private LedgerCursor? _cursor;
    private WebhookStanding _standing = new() { Renewed = definition.Renewed };
    private WebhookInbox? _own, _shared;
    private WebhookState? _attempt;
    private string? _tag;
    private long? _storedAt;
    private bool _isLoaded, _hasPosted, _hasMoved, _isSlow;

    public bool IsUpToDate => _isUpToDate;

    private DateTimeOffset Now => office.Clock.Now.ToDateTimeOffset();

    private bool IsToStore => _hasPosted || _hasMoved;

    private bool IsStoreDue => IsToStore && (_storedAt is not { } at || office.Time.GetElapsedTime(at) >= (_hasPosted ? s_storeEvery : s_storeIdle));

    /// <summary>What its tenant has made of it: counts from the next post on.</summary>
    public void Define(TenantWebhook webhook)
    {
        if (_definition == webhook) return;
        _definition = webhook;
        var before = _redefined;
        _redefined = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        before.SetResult();
    }

    /// <summary>Until it is stopped, or gone.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                if (!_isLoaded && !await LoadAsync(stop)) return;
                await CarryAsync(stop);
            }
            catch (Exception) when (stop.IsCancellationRequested)
            {
                // What it holds is in the ledger.
            }
            catch (Exception e)
            {
                LogBroken(log, _definition.Id, tenant, s_pause, e.Message);
                await Task.Delay(s_pause, office.Time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        try
        {
            if (_isLoaded && IsToStore) await StoreAsync();
        }
        catch (Exception e)
        {
            // Whoever goes on posts a little again.
            LogBroken(log, _definition.Id, tenant, TimeSpan.Zero, e.Message);
        }
    }

    /// <summary>False = it is gone: its tenant took it away.</summary>
    private async Task<bool> LoadAsync(CancellationToken stop)
    {
        var (state, tag) = await WebhookState.ReadAsync(office.Documents, tenant, _definition.Id, stop);
        if (state is null && _tag is not null) return false;
        // Stored by ourselves, whatever came of the answer: then what is in memory is newer.
        var isOurs = _cursor is not null && (tag == _tag || state == _attempt);
        (_tag, _isLoaded) = (tag, true);
        if (isOurs) return true;
        _posted.Clear();
        _cursor = state is null ? LedgerCursor.From(Since) : LedgerCursor.Parse(state.Cursor);
        if (state is null) return true;
        _standing = state.Standing;
        _posted.UnionWith(state.Posted?.Split(' ') ?? []);
        return true;
    }

    private StoreTime Since => StoreTime.FromDateTimeOffset(_definition.Created) - office.Skew;

    private async Task CarryAsync(CancellationToken stop)
    {
        while (true)
        {
            await UntilDueAsync(stop);
            if (!await ReadOnAsync(null, stop)) continue;
            var inbox = _shared = new WebhookInbox(office.Waiting) { Types = _definition.Events };
            try
            {
                // Nearly there. From the place that this names on everything comes to the inbox.
                var until = await office.Feed.JoinAsync(tenant, inbox, stop);
                if (!await ReadOnAsync(until, stop)) continue;
                _isUpToDate = !inbox.IsClosed;
                await FollowAsync(inbox, stop);
            }
            finally
            {
                (_isUpToDate, _shared) = (false, null);
                office.Feed.Leave(inbox);
                inbox.Drop();
            }
        }
    }

    /// <summary>Reads a page for itself and posts it. True = to the end, and it stands there.</summary>
    private async Task<bool> ReadOnAsync(LedgerCursor? until, CancellationToken stop)
    {
        var page = await ScanAsync(until, stop);
        // Not yet near enough: what comes meanwhile is read later.
        if (!page.IsEnd) _shared?.Drop();
        var types = _definition.Events;
        var own = _own = new WebhookInbox(office.Waiting);
        try
        {
            own.Fill([.. page.Records.SelectMany(EventLine.Of).Where(l => !_posted.Contains(l.Id) && (types.Length == 0 || types.Contains(l.Type)))], page.Next);
            await FollowAsync(own, stop);
        }
        finally
        {
            _own = null;
            own.Drop();
        }

        return page.IsEnd && _cursor == page.Next;
    }

    private async Task<LedgerPage> ScanAsync(LedgerCursor? until, CancellationToken stop)
    {
        await office.Scans.WaitAsync(stop);
        try
        {
            while (!office.Waiting.HasRoom) await Task.Delay(s_breath, office.Time, stop);
            return await office.Tail.ReadUntilAsync(_cursor!, until, record => record.Summary?.Tenant == tenant && record.Time >= Since, MostRecords, MaxOctets, stop);
        }
        finally
        {
            office.Scans.Release();
        }
    }

    /// <summary>Posts what comes until there will be nothing more.</summary>
    private async Task FollowAsync(WebhookInbox inbox, CancellationToken stop)
    {
        while (true)
        {
            var changed = inbox.ChangedAsync();
            inbox.Types = _definition.Events;
            var (lines, after, behind) = inbox.Take(WebhookBatch.MaxEvents, WebhookBatch.Room);
            string[] posted = [.. lines.TakeLast(behind).Select(line => line.Id)];
            if (lines.Count > 0 && !await PostAsync(lines, stop)) return;
            if (after is not null)
            {
                _hasMoved = true;
                _cursor = after;
                _posted.Clear();
                _posted.UnionWith(posted);
            }

            if (IsStoreDue) await StoreAsync();
            if (lines.Count > 0 || after is not null) continue;
            if (inbox.IsClosed) return;
            await changed.WaitAsync(_hasPosted ? s_storeEvery : s_storeIdle, office.Time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            stop.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Posts a batch until it is taken. False = there was no memory to keep it: its events are read again.</summary>
    private async Task<bool> PostAsync(List<EventLine> lines, CancellationToken stop)
    {
        var batch = WebhookBatch.Of(tenant, _definition.Id, lines, Now);
        string[] ids = [.. lines.Select(l => l.Id)];
        var kept = 0;
        try
        {
            while (true)
            {
                stop.ThrowIfCancellationRequested();
                var outcome = await SendAsync(batch, stop);
                WebhookInstruments.Count(outcome);
                (_standing, var verdict) = _standing.Judge(outcome, Now, office.Seams.Options(), Random.Shared.NextDouble());
                _hasPosted = true;
                if (verdict == WebhookVerdict.Taken)
                {
                    _posted.UnionWith(ids);
                    return true;
                }

                LogNotTaken(log, _definition.Id, tenant, outcome.ToString(), _standing.Tries, _standing.NextTry);
                _isUpToDate = false;
                _own?.Drop();
                _shared?.Drop();
                lines.Clear();
                await StoreAsync();
                if (verdict == WebhookVerdict.GiveUp) await GiveUpAsync(stop);
                if (kept == 0 && !office.Kept.TryTake(batch.Body.Length, 0)) return false;
                kept = batch.Body.Length;
                await UntilDueAsync(stop);
            }
        }
        finally
        {
            office.Kept.Give(kept);
        }
    }

    private async Task<WebhookOutcome> SendAsync(WebhookBatch batch, CancellationToken stop)
    {
        var seams = office.Seams;
        if (seams.Master() is not { } master) return Unposted("Keys:Master is not set on this silo");
        try
        {
            var post = WebhookRequest.Sign(tenant, _definition, batch, office.Time.GetUtcNow(), master, seams.Options().Timeout, _isSlow);
            var posting = seams.Post(post);
            await ((Task)posting).WaitAsync(stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            // What is known a moment after the stop need not be posted again.
            var outcome = await posting.WaitAsync(s_last, office.Time, CancellationToken.None);
            if (outcome.End != WebhookEnd.NotPosted) _isSlow = !outcome.IsTaken || outcome.Took > s_quick;
            return outcome;
        }
        catch (Exception e) when (!stop.IsCancellationRequested)
        {
            LogUnposted(log, _definition.Id, tenant, e.Message);
            return Unposted(e is InvalidDataException ? "its secret cannot be opened" : "the cluster could not be asked");
        }

        static WebhookOutcome Unposted(string why) => new() { End = WebhookEnd.NotPosted, Detail = why };
    }

    /// <summary>Returns when its tenant has made another thing of it.</summary>
    private async Task GiveUpAsync(CancellationToken stop)
    {
        var renewed = _definition.Renewed;
        if (_standing.Renewed != renewed) return;
        var reason = $"{_standing.Last}, nothing taken since {_standing.FailingSince:u}";
        await office.Disable(tenant, _definition.Id, renewed, reason);
        LogDisabled(log, _definition.Id, tenant, reason);
        WebhookInstruments.Disabled.Inc();
        while (true)
        {
            var redefined = _redefined.Task;
            if (_definition.Renewed != renewed) return;
            await redefined.WaitAsync(stop);
        }
    }

    /// <summary>Until it may be posted to; at once when its tenant has renewed it.</summary>
    private async Task UntilDueAsync(CancellationToken stop)
    {
        while (true)
        {
            var redefined = _redefined.Task;
            if (_standing.Renewed != _definition.Renewed) (_standing, _hasPosted) = (new WebhookStanding { Renewed = _definition.Renewed, Taken = _standing.Taken }, true);
            var wait = _standing.NextTry - Now;
            if (wait is not { Ticks: > 0 } left) return;
            await redefined.WaitAsync(left, office.Time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            stop.ThrowIfCancellationRequested();
        }
    }

    /// <exception cref="IOException">Another silo stored it, or nobody knows: it is read again.</exception>
    private async Task StoreAsync()
    {
        _attempt = new WebhookState { Cursor = _cursor!.ToString(), Standing = _standing, Posted = _posted.Count > 0 ? string.Join(' ', _posted) : null };
        // Until it is answered nobody knows whether it was written: then what is there counts.
        _isLoaded = false;
        var tag = await office.Documents.WriteAsync(WebhookState.Name(tenant, _definition.Id), _attempt.ToJson(), _tag, CancellationToken.None);
        if (tag is null) throw new IOException("another silo carries it too");
        (_tag, _isLoaded, _hasPosted, _hasMoved, _storedAt) = (tag, true, false, false, office.Time.GetTimestamp());
    }

    [LoggerMessage(2860, LogLevel.Information, "Webhook {Webhook} of tenant {Tenant} did not take a batch: {Outcome}; try {Tries}, the next one at {NextTry}")]
    private static partial void LogNotTaken(ILogger logger, string webhook, string tenant, string outcome, int tries, DateTimeOffset? nextTry);

    [LoggerMessage(2861, LogLevel.Warning, "Webhook {Webhook} of tenant {Tenant} is disabled: {Reason}")]
    private static partial void LogDisabled(ILogger logger, string webhook, string tenant, string reason);

    [LoggerMessage(2862, LogLevel.Warning, "Webhook {Webhook} of tenant {Tenant} cannot be carried on now, and is in {Pause}: {Error}")]
    private static partial void LogBroken(ILogger logger, string webhook, string tenant, TimeSpan pause, string error);

    [LoggerMessage(2863, LogLevel.Warning, "A batch for webhook {Webhook} of tenant {Tenant} could not be handed to an egress: {Error}")]
    private static partial void LogUnposted(ILogger logger, string webhook, string tenant, string error);
}
