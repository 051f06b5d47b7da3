using System.Diagnostics;
using System.Threading.Channels;
using Angarium.Contracts.DomainQueues;
using Angarium.Contracts.Telemetry;
using Angarium.Mail;
using Microsoft.Extensions.Logging;

namespace Angarium.Contracts.Intake;

/// <summary>An entry of a committed pack on its way to its domain's queue.</summary>
public readonly record struct DomainEntry(string Domain, OfferedEntry Entry);

/// <summary>
/// The hand-over (design rule 11): one <see cref="Offer"/> per domain of a committed pack, made once, never repeated, awaited by nobody. Calls in flight and
/// backlog are bounded; what exceeds them, fails or is late is left to the sweep and counts as refused (design rule 23). <see cref="Post"/> may be called from any thread and returns at
/// once; one loop groups and sends. Nothing survives a crash: the sweep offers what was not handed over.
/// </summary>
public sealed partial class OfferDispatcher : IAsyncDisposable
{
    /// <summary>Calls to queues in flight.</summary>
    public const int MaxCalls = 1024;

    /// <summary>Recipients that wait to be handed over.</summary>
    public const int MaxBacklog = 200_000;

    /// <summary>Refused recipients above which new mail is answered 451 (design rule 23).</summary>
    public const int MaxRefused = 100_000;

    /// <summary>Design rule 11: later than this after its commit began, an offer would be refused.</summary>
    public static readonly TimeSpan Latest = TimeSpan.FromSeconds(20);

    private static readonly Reply Overfull = new(451, new EnhancedStatus(4, 3, 2), "Queues are full; try again later");

    private readonly Func<string, Offer, ValueTask<OfferAnswer>> _send;
    private readonly Func<StoreTime> _now;
    private readonly ILogger _log;
    private readonly SemaphoreSlim _calls = new(MaxCalls, MaxCalls);
    private readonly Channel<Posted> _posted = Channel.CreateUnbounded<Posted>(new UnboundedChannelOptions { SingleReader = true });
    private readonly RefusalWindow _refused = new();
    private readonly Task _loop;
    private long _backlog, _offered, _leftToSweep, _failed, _told;
    private volatile bool _stopping;

    /// <param name="send">Calls the queue of a domain.</param>
    /// <param name="now">The store's time.</param>
    public OfferDispatcher(Func<string, Offer, ValueTask<OfferAnswer>> send, Func<StoreTime> now, ILogger<OfferDispatcher> log)
    {
        (_send, _now, _log) = (send, now, log);
        _loop = RunAsync();
    }

    public OfferDispatcher(IGrainFactory grains, Func<StoreTime> now, ILogger<OfferDispatcher> log)
        : this(new GrainsByKey<IDomainQueueIntake>(grains), now, log)
    {
    }

    private OfferDispatcher(GrainsByKey<IDomainQueueIntake> queues, Func<StoreTime> now, ILogger<OfferDispatcher> log)
        : this((domain, offer) => queues[domain].Offer(offer), now, log)
    {
    }

    /// <summary>Recipients that a queue took.</summary>
    public long Offered => Volatile.Read(ref _offered);

    /// <summary>Recipients that no queue took in the hand-over: refused, late, failed calls, a full backlog.</summary>
    public long LeftToSweep => Volatile.Read(ref _leftToSweep);

    /// <summary>Recipients that wait to be handed over.</summary>
    public long Backlog => Volatile.Read(ref _backlog);

    /// <summary>Refused recipients that count now (design rule 23).</summary>
    public long Refused => _refused.Count(_now());

    /// <summary>The 451 to answer while too many recipients stand refused, else null.</summary>
    public Reply? Refusal => Refused > MaxRefused ? Overfull : null;

    /// <summary>Takes over the entries of one pack. Call it once per pack, when it is durable.</summary>
    public void Post(PackName pack, StoreTime commitBegan, IReadOnlyList<DomainEntry> entries)
    {
        var recipients = 0;
        foreach (var entry in entries) recipients += entry.Entry.Keys.Length;
        if (Interlocked.Add(ref _backlog, recipients) > MaxBacklog || !_posted.Writer.TryWrite(new Posted(pack, commitBegan, entries)))
        {
            Interlocked.Add(ref _backlog, -recipients);
            Interlocked.Add(ref _leftToSweep, recipients);
            if (_stopping) return;
            foreach (var entry in entries) _refused.Refused(entry.Domain, entry.Entry.Keys.Length, _now());
        }
    }

    /// <summary>Takes no more, drops what waits (the sweep has it) and ends when the calls in flight have been answered.</summary>
    public async ValueTask DisposeAsync()
    {
        _stopping = true;
        _posted.Writer.TryComplete();
        await _loop;
    }

    private async Task RunAsync()
    {
        var byDomain = new Dictionary<string, List<OfferedEntry>>(StringComparer.Ordinal);
        while (await _posted.Reader.WaitToReadAsync())
        {
            while (_posted.Reader.TryRead(out var pack))
            {
                foreach (var (domain, entry) in pack.Entries)
                {
                    if (!byDomain.TryGetValue(domain, out var entries)) byDomain.Add(domain, entries = []);
                    entries.Add(entry);
                }

                foreach (var (domain, entries) in byDomain) await HandOverAsync(pack, domain, [.. entries]);
                byDomain.Clear();
            }
        }

        for (var i = 0; i < MaxCalls; i++) await _calls.WaitAsync();
    }

    private async ValueTask HandOverAsync(Posted pack, string domain, OfferedEntry[] entries)
    {
        var recipients = 0;
        foreach (var entry in entries) recipients += entry.Keys.Length;
        // Waiting here delays no sweep: an offer that gets too old meanwhile is dropped just below.
        await _calls.WaitAsync();
        Interlocked.Add(ref _backlog, -recipients);
        var now = _now();
        if (_stopping || now - pack.CommitBegan > Latest)
        {
            _calls.Release();
            Interlocked.Add(ref _leftToSweep, recipients);
            if (!_stopping) _refused.Refused(domain, recipients, now);
            return;
        }

        _ = OfferAsync(domain, new Offer { SentAt = now, CommitBegan = pack.CommitBegan, Pack = pack.Pack, Entries = entries }, recipients);
    }

    private async Task OfferAsync(string domain, Offer offer, int recipients)
    {
        var began = MessageTrace.IsOn ? Stopwatch.GetTimestamp() : 0;
        try
        {
            var answer = await _send(domain, offer);
            if (began > 0) Trace(offer, answer, Stopwatch.GetElapsedTime(began));
            var refused = answer.Late ? recipients : Math.Clamp(answer.Refused, 0, recipients);
            if (answer.Refused > 0) _refused.Refused(domain, Math.Min(answer.Refused, recipients), _now());
            else if (!answer.Late) _refused.Accepted(domain);
            Interlocked.Add(ref _offered, recipients - refused);
            Interlocked.Add(ref _leftToSweep, refused);
        }
        catch (Exception e)
        {
            // Whatever went wrong, the offer is not repeated (rule 11): the sweep finds these recipients. While no queue answers, mail piles up: it counts as refused (rule 23).
            Tell(e);
            _refused.Refused(domain, recipients, _now());
            Interlocked.Add(ref _leftToSweep, recipients);
        }
        finally
        {
            _calls.Release();
        }
    }

    private static void Trace(Offer offer, OfferAnswer answer, TimeSpan took)
    {
        foreach (var entry in offer.Entries)
            MessageTrace.Begin("hand-over", ActivityKind.Client, new MessageId(entry.Message), took)?.SetTag("angarium.recipients", entry.Keys.Length).SetTag("angarium.late", answer.Late).Dispose();
    }

    /// <summary>A silo that is down fails thousands of calls a second: one line a minute says so, with their number.</summary>
    private void Tell(Exception exception)
    {
        var failed = Interlocked.Increment(ref _failed);
        var now = _now().Milliseconds;
        var told = Volatile.Read(ref _told);
        if (told <= now && now < told + 60_000 || Interlocked.CompareExchange(ref _told, now, told) != told) return;
        Interlocked.Add(ref _failed, -failed);
        OffersFailed(_log, exception, failed);
    }

    private readonly record struct Posted(PackName Pack, StoreTime CommitBegan, IReadOnlyList<DomainEntry> Entries);
}
