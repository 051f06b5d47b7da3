using System.Threading.Channels;
using Angarium.Contracts.DomainQueues;
using Angarium.Contracts.EgressPools;
using Angarium.Egress.Pools;
using Angarium.Egress.Routing;
using Angarium.Egress.Sessions;
using Angarium.Mail;

namespace Angarium.Egress.Worker;

/// <summary>
/// One permit's life: connect, carry a domain's mail, ask for another domain when it runs dry, close. Runs as one task; orders reach it from the worker's
/// poll. Its outcomes outlive its connection in the <see cref="DomainFeed"/>.
/// </summary>
internal sealed class EgressSession(WorkerContext context, SessionOrder order, Action<SessionReport> report) : IDisposable
{
    /// <summary>For a transaction under way when it is told to close: each step of it has a limit, and a peer that is slow in each could keep what others wait for for hours.</summary>
    private static readonly TimeSpan LastTransaction = TimeSpan.FromMinutes(10);

    /// <summary>Messages of one domain that are no reason to wait for more of it.</summary>
    private const int Little = 4;

    /// <summary>Domains whose last outcomes are not acknowledged yet while the session serves another: what a kill could double stays bounded however slow the ledger is.</summary>
    private const int MostSettling = 4;

    private readonly Channel<SessionOrder> orders = Channel.CreateBounded<SessionOrder>(
        new BoundedChannelOptions(4) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });

    /// <summary>As routes name it, which know of no pools.</summary>
    private readonly string routed = PoolName.SiteOf(order.Site);

    private readonly CancellationTokenSource connecting = new();
    private readonly Lock gate = new();
    private DomainFeed? feed;
    private SmtpClientSession? opened;
    private PoolAddress? source;
    private bool closing;
    private bool aborted;
    private bool disposed;
    private string domain = order.Domain;
    private int told;

    public ulong Permit => order.Permit;

    public string Site => order.Site;

    public string Domain => Volatile.Read(ref domain);

    /// <summary>Go on with another domain, or close: at once when dry, else between transactions.</summary>
    public void Order(SessionOrder next)
    {
        if (next.Kind == OrderKind.Close)
        {
            Close();
            return;
        }

        // Together: the feed that begins with this order is not the one that it ends.
        lock (gate)
        {
            feed?.Finish();
            orders.Writer.TryWrite(next);
        }
    }

    /// <summary>Ends between transactions, the one under way within ten minutes (or Egress:DrainTimeout, if that is longer) and the time that large content has; what was not begun is returned.</summary>
    public void Close()
    {
        lock (gate)
        {
            closing = true;
            feed?.Stop();
            HurryOpened();
            if (!disposed) connecting.Cancel();
        }

        orders.Writer.TryComplete();
    }

    private void HurryOpened() => opened?.Connection.EndWithin(context.Options.DrainTimeout > LastTransaction ? context.Options.DrainTimeout : LastTransaction);

    /// <summary>Closes if an operator suspended where it comes from: its permit is for another connection then.</summary>
    public void CloseIfSuspended()
    {
        PoolAddress? own;
        lock (gate) own = source;
        if (own is not null && context.Connector.IsSuspended(own)) Close();
    }

    /// <summary>Ends at once.</summary>
    public void Abort()
    {
        Close();
        lock (gate)
        {
            aborted = true;
            opened?.Connection.Abort(new AttemptException(AttemptFault.Stopping, "shutting down"));
        }
    }

    /// <summary>Looks again for mail, if it waits for some.</summary>
    public void Look()
    {
        lock (gate) feed?.Look();
    }

    /// <summary>Tells of the messages since its last report, if there are any.</summary>
    public void Tell()
    {
        if (Event(SessionEvent.Connected) is { Messages: > 0 } progress) report(progress);
    }

    public void Dispose()
    {
        lock (gate)
        {
            disposed = true;
            connecting.Dispose();
        }
    }

    public async Task RunAsync()
    {
        EgressInstruments.Sessions.Inc();
        var feeds = new List<Task>();
        try
        {
            report(await CarryAsync(feeds));
        }
        catch (Exception e)
        {
            // A defect, not an outcome: what was begun ends with its lease, and the permit is free. Without a connection the site rests, lest it orders the next at once.
            EgressWorker.SessionBroke(context.Logger, e, Site, Domain);
            if (feed is { } broken) End(broken, feeds);
            report(opened is null ? Event(SessionEvent.ConnectFailed) with { Reply = new Reply(451, new(4, 3, 0), "internal error"), Own = true } : Event(SessionEvent.Closed));
        }
        finally
        {
            EgressInstruments.Sessions.Dec();
            Dispose();
        }

        await Task.WhenAll(feeds);
    }

    private async Task<SessionReport> CarryAsync(List<Task> feeds)
    {
        MailRoute route;
        ConnectResult result;
        try
        {
            route = await context.Routes.ResolveAsync(order.Domain, routed, connecting.Token);
            // Design rule 21: the permit is for a connection to its own site; one to another would be counted by nobody there.
            if (route.Trouble is null && route.Site != routed && !context.WaivesSites) return Event(SessionEvent.Moved) with { Route = route.ToSite() };
            result = route.Trouble is { } nowhere ? new ConnectResult(null, nowhere, null, true) : await context.Connector.ConnectAsync(route, connecting.Token);
        }
        catch (OperationCanceledException) when (closing)
        {
            return Event(SessionEvent.Closed);
        }

        if (result.Session is not { } session)
        {
            // Without an address of ours nothing is wrong with the site: the permit is free, and the pool is told that there is no room for another.
            if (result.Trouble!.IsTransient && !context.Connector.MaySend) return Event(SessionEvent.Closed);
            // Nor with some, of which none reaches these hosts just now: the domain rests there, and others' sessions go on.
            if (result.WaitsForSource) return Event(SessionEvent.Moved);
            if (result.Trouble.IsTransient) return Event(SessionEvent.ConnectFailed) with { Reply = result.Trouble, Remote = result.Remote, Own = result.Own };
            // There will never be a connection: the messages themselves fail, by our own word.
            var failing = Begin(order.Domain, order.MaxMessages, TimeSpan.Zero);
            var verdict = new DeliveryVerdict(OutcomeKind.Failed, VerdictScope.Message, result.Trouble, Own: true);
            while (await failing.NextAsync() is { } transaction)
            {
                transaction.Started = context.Time.GetTimestamp();
                failing.Report(transaction, transaction.Recipients, verdict);
                transaction.Dispose();
            }

            End(failing, feeds);
            return Event(SessionEvent.Closed);
        }

        using (session)
        {
            lock (gate)
            {
                (opened, source) = (session, result.Source);
                if (closing) HurryOpened();
                if (aborted) session.Connection.Abort(new AttemptException(AttemptFault.Stopping, "shutting down"));
            }

            CloseIfSuspended();
            report(Event(SessionEvent.Connected) with { Remote = result.Remote });
            return await ServeAsync(session, route, feeds);
        }
    }

    private async Task<SessionReport> ServeAsync(SmtpClientSession session, MailRoute route, List<Task> feeds)
    {
        var left = order.MaxMessages;
        var idle = order.Idle;
        var spacing = order.Spacing;
        string? last = null;
        while (true)
        {
            var current = Begin(Domain, left, spacing);
            current.Connection = session.Connection;
            DeliveryVerdict? ended;
            // Where it is sent again and again, or there was much, there may be more by the time that the last outcome is acknowledged. A domain that had little is left at once.
            do ended = await session.CarryAsync(current);
            while (ended is null && (Domain == last || current.Taken > Little) && current.AskOnceMore());
            last = Domain;
            End(current, feeds);
            if (ended is { } verdict)
            {
                // Scope says whom it concerns: a peer that wants less, or only this message.
                return verdict.Scope >= VerdictScope.Host
                    ? Event(SessionEvent.Lost) with { Reply = verdict.Reply, Own = verdict.Own, Remote = session.Connection.Remote }
                    : Event(SessionEvent.Closed) with { Remote = session.Connection.Remote };
            }

            if (left > 0 && (left -= current.Taken) <= 0 || closing)
            {
                await session.QuitAsync();
                return Event(SessionEvent.Closed);
            }

            // Not sooner: what became of a connection that is lost or used up is told at once, whatever the ledger does.
            await UntilFewSettleAsync(feeds);
            if (await NextOrderAsync(session, idle) is not { } next)
            {
                await session.QuitAsync();
                return Event(SessionEvent.Closed);
            }

            if (next.MaxMessages > 0 && order.MaxMessages == 0) left = next.MaxMessages;
            (idle, spacing) = (next.Idle, next.Spacing);
            Volatile.Write(ref domain, next.Domain);

            // The domain may have moved to other hosts since the site was named; and the peer may have gone while we waited.
            var there = await context.Routes.ResolveAsync(next.Domain, routed, CancellationToken.None);
            if (there.Site != routed || session.Connection.HasUnexpectedInput)
            {
                await session.QuitAsync();
                return there.Trouble is null && there.Site != routed ? Event(SessionEvent.Moved) with { Route = there.ToSite() } : Event(SessionEvent.Closed);
            }
        }
    }

    private async Task<SessionOrder?> NextOrderAsync(SmtpClientSession session, TimeSpan idle)
    {
        if (orders.Reader.TryRead(out var waiting)) return waiting;
        report(Event(SessionEvent.Dry) with { Remote = session.Connection.Remote });
        using var limit = new CancellationTokenSource(idle > TimeSpan.Zero ? idle : TimeSpan.FromSeconds(1), context.Time);
        try
        {
            return await orders.Reader.ReadAsync(limit.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or ChannelClosedException)
        {
            return null;
        }
    }

    private DomainFeed Begin(string name, int most, TimeSpan spacing)
    {
        var begun = new DomainFeed(context, name, Site, most) { Spacing = spacing };
        lock (gate)
        {
            feed = begun;
            if (closing) begun.Stop();
            else if (orders.Reader.TryPeek(out _)) begun.Finish();
        }

        return begun;
    }

    private async Task UntilFewSettleAsync(List<Task> feeds)
    {
        while (feeds.RemoveAll(task => task.IsCompleted) >= 0 && feeds.Count >= MostSettling && !connecting.IsCancellationRequested)
        {
            try
            {
                await Task.WhenAny(feeds).WaitAsync(connecting.Token);
            }
            catch (OperationCanceledException)
            {
                // Told to close: there is no next domain.
            }
        }
    }

    private void End(DomainFeed ended, List<Task> feeds)
    {
        lock (gate) feed = null;
        feeds.Add(ended.EndAsync());
    }

    private SessionReport Event(SessionEvent what)
    {
        lock (gate)
        {
            var done = opened?.Completed ?? 0;
            var messages = done - told;
            told = done;
            return new SessionReport { Permit = Permit, Site = Site, Domain = Domain, Event = what, Messages = messages, Answered = done };
        }
    }
}
