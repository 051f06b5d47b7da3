using System.Threading.Channels;
using Angarium.Contracts.DomainQueues;
using Angarium.Contracts.EgressPools;
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
    private readonly Channel<SessionOrder> orders = Channel.CreateBounded<SessionOrder>(
        new BoundedChannelOptions(4) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });

    private readonly CancellationTokenSource connecting = new();
    private readonly Lock gate = new();
    private DomainFeed? feed;
    private SmtpConnection? connection;
    private bool closing;
    private bool aborted;
    private bool disposed;
    private string domain = order.Domain;
    private int counted;

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

        orders.Writer.TryWrite(next);
        lock (gate) feed?.Finish();
    }

    /// <summary>Ends between transactions; what was not begun is returned.</summary>
    public void Close()
    {
        lock (gate)
        {
            closing = true;
            feed?.Stop();
            if (!disposed) connecting.Cancel();
        }

        orders.Writer.TryComplete();
    }

    /// <summary>Ends at once.</summary>
    public void Abort()
    {
        Close();
        lock (gate)
        {
            aborted = true;
            connection?.Abort(new AttemptException(AttemptFault.Stopping, "shutting down"));
        }
    }

    /// <summary>Looks again for mail, if it waits for some.</summary>
    public void Look()
    {
        lock (gate) feed?.Look();
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
            var end = await CarryAsync(feeds);
            report(end);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // A defect, not an outcome: the lease of what it carried ends by itself, and the permit is free.
            EgressWorker.SessionBroke(context.Logger, e, Site, Domain);
            if (Volatile.Read(ref feed) is { } broken)
            {
                broken.Abandon();
                End(broken, feeds);
            }

            report(Event(SessionEvent.Closed));
        }
        finally
        {
            EgressInstruments.Sessions.Dec();
            connection?.Dispose();
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
            route = await context.Routes.ResolveAsync(order.Domain, connecting.Token);
            result = route.Trouble is { } nowhere ? new ConnectResult(null, nowhere, null, true) : await context.Connector.ConnectAsync(route, connecting.Token);
        }
        catch (OperationCanceledException) when (closing)
        {
            return Event(SessionEvent.Closed);
        }

        if (result.Session is not { } session)
        {
            if (result.Trouble!.IsTransient) return Event(SessionEvent.ConnectFailed) with { Reply = result.Trouble, Remote = result.Remote, Own = result.Own };
            // There will never be a connection: the messages themselves fail, by our own word.
            var failing = Begin(order.Domain, order.MaxMessages, TimeSpan.Zero, feeds);
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
                connection = session.Connection;
                if (aborted) connection.Abort(new AttemptException(AttemptFault.Stopping, "shutting down"));
            }

            report(Event(SessionEvent.Connected) with { Remote = result.Remote });
            return await ServeAsync(session, route, feeds);
        }
    }

    private async Task<SessionReport> ServeAsync(SmtpClientSession session, MailRoute route, List<Task> feeds)
    {
        var left = order.MaxMessages;
        var idle = order.Idle;
        var spacing = order.Spacing;
        while (true)
        {
            var current = Begin(Domain, left, spacing, feeds);
            current.Connection = session.Connection;
            DeliveryVerdict? ended;
            Task<MailTransaction?>? late;
            do
            {
                (ended, late) = await session.CarryAsync(current);
            }
            while (ended is null && current.AskOnceMore());

            End(current, feeds, late);
            counted += current.Taken;
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

            if (await NextOrderAsync(session, idle) is not { } next)
            {
                await session.QuitAsync();
                return Event(SessionEvent.Closed);
            }

            if (next.MaxMessages > 0 && order.MaxMessages == 0) left = next.MaxMessages;
            (idle, spacing) = (next.Idle, next.Spacing);
            Volatile.Write(ref domain, next.Domain);

            // The domain may have moved to other hosts since the site was named; and the peer may have gone while we waited.
            var there = await context.Routes.ResolveAsync(next.Domain, CancellationToken.None);
            if (there.Site != route.Site || session.Connection.HasUnexpectedInput)
            {
                await session.QuitAsync();
                return Event(SessionEvent.Closed);
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

    private DomainFeed Begin(string name, int most, TimeSpan spacing, List<Task> feeds)
    {
        var begun = new DomainFeed(context, name, Site, most) { Spacing = spacing };
        feeds.RemoveAll(task => task.IsCompleted);
        lock (gate)
        {
            feed = begun;
            if (closing) begun.Stop();
        }

        return begun;
    }

    private void End(DomainFeed ended, List<Task> feeds, Task<MailTransaction?>? late = null)
    {
        lock (gate) feed = null;
        ended.Stop();
        feeds.Add(SettleAsync(ended, late));
    }

    /// <param name="ended">The feed.</param>
    /// <param name="late">A transaction that was asked for while the last one failed: it comes once, and goes back before the feed is settled.</param>
    private async Task SettleAsync(DomainFeed ended, Task<MailTransaction?>? late)
    {
        try
        {
            if (late is not null && await late is { } transaction) ended.Return(transaction);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            EgressWorker.SessionBroke(context.Logger, e, Site, Domain);
            ended.Abandon();
        }

        await ended.WhenSettledAsync();
        ended.Dispose();
    }

    private SessionReport Event(SessionEvent what)
    {
        var messages = counted;
        counted = 0;
        return new SessionReport { Permit = Permit, Site = Site, Domain = Domain, Event = what, Messages = messages };
    }
}
