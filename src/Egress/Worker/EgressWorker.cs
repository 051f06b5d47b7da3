using System.Collections.Concurrent;
using System.Threading.Channels;
using Angarium.Contracts.EgressPools;
using Microsoft.Extensions.Hosting;

namespace Angarium.Egress.Worker;

/// <summary>
/// The process's courier: long-polls its pool for orders, runs a session for each, reports what became of them, and renews the leases of all. One loop and
/// one tick; sessions are tasks of their own. Nothing survives it: leases end, and the pool forgets a worker that is silent.
/// </summary>
internal sealed partial class EgressWorker(WorkerContext context) : BackgroundService
{
    /// <summary>Design rule 21: a worker that its pool has not heard for so long counts for nothing there.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(20);

    /// <summary>How long the last poll is repeated while nobody takes it: a pool whose silo stops or died answers elsewhere within 7 s.</summary>
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan UnheardAgain = TimeSpan.FromMinutes(10);

    private const int MostReports = 1000;
    private const int TicksBetweenTells = 10;

    private static readonly TimeSpan Breath = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<ulong, (EgressSession Session, Task Run)> sessions = new();
    private readonly List<SessionReport> reports = [];
    private readonly ConcurrentDictionary<Task, byte> settling = new();
    private readonly Channel<byte> reported = Channel.CreateBounded<byte>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private long heard = context.Time.GetTimestamp();
    private long number;
    private long claim;
    private long saidAt;
    private int ticks;
    private volatile bool isHeard;
    private volatile bool draining;

    /// <summary>The pool hears this worker, and it takes orders.</summary>
    public bool IsReady => isHeard && !draining && context.Connector.IsUsable;

    public int Sessions => sessions.Count;

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        if (!draining)
        {
            draining = true;
            context.MayAsk = false;
            Draining(context.Logger, sessions.Count);
            foreach (var (session, _) in sessions.Values) session.Close();
            var running = sessions.Values.Select(session => session.Run).Concat(settling.Keys).ToArray();
            if (!await EndWithinAsync(running, context.Options.DrainTimeout, cancellationToken))
            {
                foreach (var (session, _) in sessions.Values) session.Abort();
                await EndWithinAsync(running, TimeSpan.FromSeconds(5), cancellationToken);
            }

            context.IsOver = true;
        }

        await base.StopAsync(cancellationToken);
        Drained(context.Logger, context.Leases.Count);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => RunAsync(stoppingToken);

    /// <summary>The worker's loop, until it is told to stop.</summary>
    internal async Task RunAsync(CancellationToken stoppingToken)
    {
        using var tick = context.Time.CreateTimer(static self => ((EgressWorker)self!).Tick(), this, Second, Second);
        Task? held = null;
        var report = Task.CompletedTask;
        while (!stoppingToken.IsCancellationRequested)
        {
            var poll = PollAsync(stoppingToken);
            // What sessions report meanwhile goes with a second poll, which the pool answers in place of the first; never a third.
            if (held is not null) await held;
            held = poll;
            if (report.IsCompleted) report = WaitForReportAsync(stoppingToken);
            await Task.WhenAny(poll, report);
        }

        // The last words: what ended while draining. The pool answers the poll it holds with them. A pool that is on its way to another silo would wait there for 35 s for a worker that is gone.
        var parting = context.Time.GetTimestamp();
        while (!await PollAsync(CancellationToken.None, leaving: true) && isHeard && context.Time.GetElapsedTime(parting) < Farewell) await Task.Delay(Second, context.Time, CancellationToken.None);
        if (held is not null) await held;
    }

    private async Task WaitForReportAsync(CancellationToken stoppingToken)
    {
        try
        {
            await reported.Reader.ReadAsync(stoppingToken);
        }
        catch (OperationCanceledException)
        {
            // The loop looks for itself.
        }
    }

    /// <summary>One poll; true = it was taken. What it says and its number are taken on the loop's turn, so that of two polls the later one has the higher number and the newer list.</summary>
    private async Task<bool> PollAsync(CancellationToken stoppingToken, bool leaving = false)
    {
        SessionReport[] sending;
        lock (reports)
        {
            sending = [.. reports.Take(MostReports)];
            reports.RemoveRange(0, sending.Length);
        }

        var began = context.Time.GetTimestamp();
        var most = context.MaxSessions;
        var request = new PollRequest
        {
            Worker = context.Name,
            Number = ++number,
            SentAt = context.Clock.Now,
            FreeSessions = draining || !context.Clock.IsSettled || !context.Connector.MaySend ? 0 : Math.Max(0, most - sessions.Count),
            Held = [.. sessions.Values.Select(session => new HeldPermit(session.Session.Permit, session.Session.Site, session.Session.Domain))],
            Reports = sending,
            Leaving = leaving,
            Claim = Volatile.Read(ref claim),
        };
        string? reason;
        try
        {
            // On the loop's turn, so that of two polls the later one leaves later too: what one reports that is overtaken has to come again.
            var answer = await context.Gateway.PollAsync(request);
            if (answer.Overtaken)
            {
                // The network turned two polls round: what this one told goes with the next, and nobody waits for it.
                lock (reports) reports.InsertRange(0, sending);
                if (sending.Length > 0) reported.Writer.TryWrite(0);
                return false;
            }

            // Two activations of the pool may each be sure of itself: the one that claimed it last gives the orders (design rule 21).
            if (answer.Accepted && IsNewest(answer.Claim))
            {
                Volatile.Write(ref heard, context.Time.GetTimestamp());
                if (!isHeard) Heard(context.Logger, context.Name, context.Pool);
                isHeard = true;
                if (!draining) context.MayAsk = true;
                // Before its orders are followed.
                if (answer.SuspendedSources is { } suspended && context.Connector.Suspend(suspended))
                    foreach (var (session, _) in sessions.Values) session.CloseIfSuspended();
                foreach (var order in answer.Orders) Follow(order);
                // A pool that neither orders nor holds the poll must not make a tight loop; one that has the next poll already answers this one in its place.
                if (leaving || answer.Orders.Length + sending.Length > 0 || Volatile.Read(ref number) != request.Number || context.Time.GetElapsedTime(began) > Breath) return true;
                reason = null;
            }
            else
            {
                reason = answer.Accepted ? "it has a successor" : "refused";
            }
        }
        catch (Exception e)
        {
            reason = e.Message;
        }

        if (reason is not null)
        {
            lock (reports) reports.InsertRange(0, sending);
            EgressInstruments.PollFailures.Inc();
            PollFailed(context.Logger, reason);
            SayIfNeverHeard(reason);
        }

        if (leaving) return false;
        try
        {
            await Task.Delay(reason is null ? Breath : Second, context.Time, stoppingToken);
        }
        catch (OperationCanceledException)
        {
            // The loop looks for itself.
        }

        return reason is null;
    }

    /// <summary>A worker that its pool does not want carries nothing and breaks nothing: it has to be said.</summary>
    private void SayIfNeverHeard(string reason)
    {
        if (isHeard || context.Time.GetElapsedTime(Volatile.Read(ref heard)) < Silence || (saidAt != 0 && context.Time.GetElapsedTime(saidAt) < UnheardAgain)) return;
        saidAt = context.Time.GetTimestamp();
        Unheard(context.Logger, context.Pool, reason);
    }

    private bool IsNewest(long heard)
    {
        for (var newest = Volatile.Read(ref claim); heard > newest; newest = Volatile.Read(ref claim))
            if (Interlocked.CompareExchange(ref claim, heard, newest) == newest) return true;
        return heard == Volatile.Read(ref claim);
    }

    private void Follow(SessionOrder order)
    {
        if (order.Kind != OrderKind.Open)
        {
            if (sessions.TryGetValue(order.Permit, out var known)) known.Session.Order(order);
            else Report(new SessionReport { Permit = order.Permit, Site = order.Site, Domain = order.Domain, Event = SessionEvent.Closed });
            return;
        }

        if (sessions.ContainsKey(order.Permit)) return;
        if (draining || sessions.Count >= context.MaxSessions)
        {
            Report(new SessionReport { Permit = order.Permit, Site = order.Site, Domain = order.Domain, Event = SessionEvent.Closed });
            return;
        }

        var session = new EgressSession(context, order, Report);
        // In the table before it can report its end.
        var start = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        sessions[order.Permit] = (session, RunAsync(session, start.Task));
        if (draining) session.Close();
        start.SetResult();
    }

    private static async Task RunAsync(EgressSession session, Task start)
    {
        await start;
        await session.RunAsync();
    }

    private void Report(SessionReport report)
    {
        // The permit is free with this report: from here on it is declared no more; the outcomes may still be on their way.
        if (report.Event is SessionEvent.Closed or SessionEvent.ConnectFailed or SessionEvent.Lost or SessionEvent.Moved && sessions.TryRemove(report.Permit, out var ended))
        {
            settling.TryAdd(ended.Run, 0);
            _ = ended.Run.ContinueWith(static (run, all) => ((ConcurrentDictionary<Task, byte>)all!).TryRemove(run, out _), settling, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }

        lock (reports) reports.Add(report);
        reported.Writer.TryWrite(0);
    }

    private void Tick()
    {
        context.Leases.Tick();
        var tells = ++ticks % TicksBetweenTells == 0;
        foreach (var (session, _) in sessions.Values)
        {
            session.Look();
            if (tells) session.Tell();
        }

        if (!isHeard || context.Time.GetElapsedTime(Volatile.Read(ref heard)) < Silence) return;
        isHeard = false;
        context.MayAsk = false;
        // Whoever was the pool's before has lost it by now: should its claims have begun anew, their numbers count again.
        Volatile.Write(ref claim, 0);
        NotHeard(context.Logger, sessions.Count);
        foreach (var (session, _) in sessions.Values) session.Close();
    }

    private async Task<bool> EndWithinAsync(Task[] running, TimeSpan limit, CancellationToken cancellationToken)
    {
        try
        {
            await Task.WhenAll(running).WaitAsync(limit, context.Time, cancellationToken);
            return true;
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            return false;
        }
    }
}
