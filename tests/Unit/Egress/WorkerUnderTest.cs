using System.Net;
using System.Threading.Channels;
using Angarium.Contracts.DomainQueues;
using Angarium.Contracts.EgressPools;
using Angarium.Egress;
using Angarium.Egress.Routing;
using Angarium.Egress.Sessions;
using Angarium.Egress.Worker;
using Angarium.Mail;
using Angarium.Spool.Packs;
using Angarium.TestKit.Logging;
using Angarium.TestKit.Peers;
using Microsoft.Extensions.Logging.Abstractions;
using FixedEgress = Angarium.Contracts.Configuration.FixedSettings<Angarium.Egress.EgressOptions>;

namespace Angarium.Unit.Egress;

/// <summary>The real worker, sessions and connections over a pool and a queue that the test plays, towards a peer on loopback that the test plays as well. Waits are on events; each is bounded.</summary>
internal sealed class WorkerUnderTest : IQueueGateway, ISpoolReader, IDnsSource, IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);
    private readonly Lock gate = new();
    private readonly Dictionary<EntryPlace, MemoryEntry> spool = [];
    private readonly Queue<Grant> due = new();
    private readonly Queue<SessionOrder> orders = new();
    private readonly Dictionary<(ulong, int), ExchangeAnswer> answers = [];
    private readonly Channel<AttemptOutcome> outcomes = Channel.CreateUnbounded<AttemptOutcome>();
    private readonly Channel<SessionReport> reports = Channel.CreateUnbounded<SessionReport>();
    private readonly Channel<PollRequest> polls = Channel.CreateUnbounded<PollRequest>();
    private readonly ConnectionWatch watch;
    private readonly RouteResolver routes;
    private TaskCompletionSource<PollAnswer>? held;
    private ulong leases;
    private long polled;
    private bool left, away;

    public WorkerUnderTest(IPEndPoint? peer = null, Func<EgressOptions, EgressOptions>? change = null, string? hop = null, Action? dial = null, TimeProvider? time = null)
    {
        var options = new EgressOptions { Hostname = "relay.test", NextHop = hop ?? $"{peer}?tls=none", QuitTimeout = TimeSpan.FromSeconds(1), DrainTimeout = TimeSpan.FromSeconds(10) };
        var settings = new FixedEgress(change?.Invoke(options) ?? options);
        time ??= TimeProvider.System;
        watch = new ConnectionWatch(time);
        routes = new RouteResolver(settings, this, time, () => new HashSet<IPAddress>());
        var connector = new Connector(routes, settings, watch, NullLogger<Connector>.Instance)
        {
            Dial = (target, source, timeout, watch, cancellationToken) =>
            {
                dial?.Invoke();
                return SmtpConnection.ConnectAsync(target, source, timeout, watch, cancellationToken);
            },
        };
        Context = new WorkerContext(this, this, new PlainClock(time), time, routes, connector, settings, Log);
        Worker = new EgressWorker(Context);
    }

    public LogLines<EgressWorker> Log { get; } = new();

    public WorkerContext Context { get; }

    public EgressWorker Worker { get; }

    /// <summary>How long leases last; the real ones last 20 s.</summary>
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>Called before each exchange is looked at; what it throws is lost on the way there.</summary>
    public Action<ExchangeRequest>? OnExchange { get; set; }

    /// <summary>Called after each exchange has been taken; what it throws is lost on the way back.</summary>
    public Action<ExchangeRequest>? OnAnswer { get; set; }

    /// <summary>Called before each entry is opened.</summary>
    public Action<EntryPlace>? OnOpen { get; set; }

    public List<ExchangeRequest> Exchanges { get; } = [];

    /// <summary>In the order in which the pool got them.</summary>
    public List<PollRequest> Polls { get; } = [];

    /// <summary>Entries that were opened.</summary>
    public List<MemoryEntry> Opened { get; } = [];

    public ulong Permit => 77;

    /// <summary>The number of the pool's activation that answers.</summary>
    public long Claim { get; set; }

    /// <summary>The pool takes no last poll: it is on its way to another silo.</summary>
    public bool RefusesToLeave { get; set; }

    /// <summary>Whether the pool answers a poll as if a later one had come before it.</summary>
    public Func<PollRequest, bool> IsOvertaken { get; set; } = _ => false;

    /// <summary>Queues a message.</summary>
    public void Mail(string to, string content = "Subject: x\r\n\r\nbody\r\n", bool damaged = false, SpoolReadStatus? missing = null, Action<int>? beforePart = null)
    {
        lock (gate)
        {
            var place = new EntryPlace(new PackName(PackKind.Birth, 1, (uint)++leases), 16, 100);
            if (missing is null) spool[place] = MemoryEntry.Of("me@example.org", to, content, damaged: damaged, beforePart: beforePart);
            due.Enqueue(new Grant { Lease = leases, Place = place, Keys = [.. to.Split(',').Select((_, i) => new RecipientKey(1, 1, (ushort)i))], Attempt = 1, Message = new RecipientKey(1, 1, 0) });
        }
    }

    public async Task StartAsync(params OrderKind[] kinds)
    {
        await Worker.StartAsync(CancellationToken.None);
        Order(OrderKind.Open);
    }

    /// <summary>From now on the pool cannot be reached.</summary>
    public void TakePoolAway()
    {
        lock (gate)
        {
            away = true;
            held?.TrySetException(new TimeoutException("no answer"));
        }
    }

    public void BringPoolBack(long claim = 0)
    {
        lock (gate) (away, Claim) = (false, claim);
    }

    /// <param name="site">Whose permit it is; null = that of the domain, as the worker resolves it.</param>
    public void Order(OrderKind kind, string domain = "example.net", string? site = null)
    {
        site ??= routes.ResolveSiteAsync(domain, CancellationToken.None).AsTask().Result.Site;
        lock (gate) orders.Enqueue(new SessionOrder { Kind = kind, Permit = Permit, Site = site, Domain = domain, Idle = Limit });
        Answer();
    }

    public bool HasOutcome => outcomes.Reader.TryPeek(out _);

    public async Task<AttemptOutcome> OutcomeAsync() => await outcomes.Reader.ReadAsync().AsTask().WaitAsync(Limit);

    /// <summary>The next report of this kind; those before it are passed over.</summary>
    public async Task<SessionReport> ReportAsync(params SessionEvent[] kinds)
    {
        while (true)
        {
            var report = await reports.Reader.ReadAsync().AsTask().WaitAsync(Limit);
            if (kinds.Contains(report.Event)) return report;
        }
    }

    /// <summary>The next poll.</summary>
    public async Task<PollRequest> PolledAsync() => await polls.Reader.ReadAsync().AsTask().WaitAsync(Limit);

    public async ValueTask DisposeAsync()
    {
        // Of a test that failed the time may stand still.
        using var limit = new CancellationTokenSource(Limit);
        await Worker.StopAsync(limit.Token);
        Worker.Dispose();
        routes.Dispose();
        watch.Dispose();
    }

    public Task<PollAnswer> PollAsync(PollRequest request)
    {
        lock (gate)
        {
            Polls.Add(request);
            polls.Writer.TryWrite(request);
            if (away) return Task.FromException<PollAnswer>(new TimeoutException("no answer"));
            // As the pool does: one that another overtook is refused, and its reports come again. Held, it would keep the worker from its end.
            if (IsOvertaken(request))
            {
                // The later one, that came first, ended what was held.
                held?.TrySetResult(new PollAnswer { Accepted = true, Claim = Claim });
                return Task.FromResult(new PollAnswer { Overtaken = true });
            }

            if (request.Number < polled || (request.Leaving && RefusesToLeave)) return Task.FromResult(new PollAnswer());
            polled = request.Number;
            foreach (var report in request.Reports) reports.Writer.TryWrite(report);
            held?.TrySetResult(new PollAnswer { Accepted = true, Claim = Claim });
            held = new TaskCompletionSource<PollAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
            var mine = held.Task;
            left |= request.Leaving;
            if (left) held.SetResult(new PollAnswer { Accepted = true, Claim = Claim });
            else Answer();
            return mine;
        }
    }

    public async Task<ExchangeAnswer> ExchangeAsync(string domain, ExchangeRequest request)
    {
        await Task.Yield();
        OnExchange?.Invoke(request);
        ExchangeAnswer? answer;
        lock (gate)
        {
            Exchanges.Add(request);
            if (!answers.TryGetValue((request.Session, request.Number), out answer))
            {
                foreach (var outcome in request.Outcomes) outcomes.Writer.TryWrite(outcome);
                var grants = new List<Grant>();
                while (grants.Count < request.Want && due.TryDequeue(out var grant)) grants.Add(grant with { Deadline = request.SentAt + Lease });
                answers[(request.Session, request.Number)] = answer = new ExchangeAnswer { Acknowledged = true, Grants = [.. grants], Next = grants.Count > 0 ? ExchangeNext.Send : ExchangeNext.Dry };
            }
        }

        OnAnswer?.Invoke(request);
        return answer;
    }

    /// <summary>Nothing is renewed: a lease lasts as long as the test says.</summary>
    public Task<RenewAnswer> RenewAsync(string domain, RenewRequest request) => Task.FromResult(new RenewAnswer());

    public Task<SpoolRead<SpooledEntry>> ReadEntryAsync(EntryPlace place, CancellationToken cancellationToken)
    {
        OnOpen?.Invoke(place);
        lock (gate)
        {
            if (!spool.TryGetValue(place, out var entry)) return Task.FromResult(new SpoolRead<SpooledEntry>(SpoolReadStatus.NotFound, null));
            Opened.Add(entry.Reopen());
            return Task.FromResult(new SpoolRead<SpooledEntry>(SpoolReadStatus.Found, Opened[^1]));
        }
    }

    public Task<SpoolRead<PackToc>> ReadTocAsync(PackName name, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<DnsAnswer> QueryAsync(string name, DnsKind kind, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<IReadOnlyList<IPAddress>> SystemAddressesAsync(string name, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<IPAddress>>([IPAddress.Loopback]);

    private void Answer()
    {
        lock (gate)
        {
            if (orders.Count == 0 || held is not { Task.IsCompleted: false }) return;
            held.SetResult(new PollAnswer { Accepted = true, Claim = Claim, Orders = [.. orders] });
            orders.Clear();
        }
    }
}
