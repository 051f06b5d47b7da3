using Angarium.Grains.Index;
using Angarium.Grains.Membership;
using Angarium.Grains.Waker;
using Angarium.Mail;
using Angarium.TestKit.Peers;
using Angarium.Unit.Grains.DomainQueues;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Grains.Waker;

/// <summary>Which domains are woken, by whom, and again when a call was lost (design rule 16).</summary>
public sealed class DomainWakerTests : IWakeCalls, IStanding, ISilos
{
    private readonly FakeTimeProvider _time = new();
    private readonly PlainClock _clock;
    private readonly MemoryQueueIndex _index;
    private readonly AwayIndex _way;
    private readonly DomainWaker _waker;
    private readonly List<string> _woken = [];
    private ulong _drawn;
    private Func<ulong, bool> _isMine = _ => true;
    private string? _unreachable;

    public DomainWakerTests()
    {
        _clock = new PlainClock(_time);
        _index = new MemoryQueueIndex(() => 1_000, () => ++_drawn);
        _way = new AwayIndex(_index);
        _waker = new DomainWaker(_way, this, _clock, this, this, NullLogger<DomainWaker>.Instance);
    }

    public bool IsConfirmed => true;

    public bool IsSoleProcess => false;

    public string Own => "a";

    public bool? IsAlive(string silo) => true;

    public bool IsMine(ulong item) => _isMine(item);

    public ValueTask WakeAsync(string domain)
    {
        _woken.Add(domain);
        return domain == _unreachable ? throw new TimeoutException() : default;
    }

    [Fact]
    public async Task Pass_WakesWhatIsDueWithin40Seconds_InItsShareOnlyAndWithOneCall()
    {
        await Queue("soon.test", 30);
        await Queue("late.test", 60);
        await _waker.PassAsync(default);
        Assert.Equal(["soon.test"], _woken);
        Assert.Equal(1, _way.Calls);
        _isMine = _ => false;
        _time.Advance(TimeSpan.FromMinutes(1));
        await _waker.PassAsync(default);
        Assert.Equal(["soon.test"], _woken);
        Assert.Equal(1, _way.Calls);
    }

    [Fact]
    public async Task Pass_AfterALostCall_WakesAgainInTenSecondsAndTheOthersAllTheSame()
    {
        _unreachable = "a.test";
        await Queue("a.test", 1);
        await Queue("b.test", 1);
        await _waker.PassAsync(default);
        Assert.Equal(["a.test", "b.test"], _woken.Order());
        await _waker.PassAsync(default);
        Assert.Equal(2, _woken.Count);
        _time.Advance(TimeSpan.FromSeconds(10));
        await _waker.PassAsync(default);
        Assert.Equal(4, _woken.Count);
    }

    /// <summary>Domains that read nothing though it is due (their sites rest, they are held) stay at the head of the list.</summary>
    [Fact]
    public async Task Pass_ManyDomainsStayOverdue_NoneHidesAnother()
    {
        var domains = Enumerable.Range(0, 100_000).Select(i => $"d{i}.test").Where(d => IndexPartition.Of(d) == 7).Take(300).ToList();
        foreach (var domain in domains) await Queue(domain, 1);
        for (var i = 0; i < 8; i++)
        {
            await _waker.PassAsync(default);
            _time.Advance(_waker.Interval);
        }

        Assert.Equal(domains.Count, _woken.Distinct().Count());
        // And from the beginning again: any of them may have lost its activation.
        _woken.Clear();
        for (var i = 0; i < 8; i++)
        {
            await _waker.PassAsync(default);
            _time.Advance(_waker.Interval);
        }

        Assert.Equal(domains.Count, _woken.Distinct().Count());
    }

    private async Task Queue(string domain, int due)
    {
        var stamp = await _index.TakeAsync(domain, 1, default);
        var row = new IndexRow(new Lane("t", MessageClass.Transactional), new IndexMember(new RecipientKey(1, 1, 1), 0, 0, 0), _clock.Now + TimeSpan.FromSeconds(due), 0);
        await _index.WriteAsync(domain, new IndexOwner(1, stamp.Run), [new IndexChange(row, Remove: false)], default);
    }
}
