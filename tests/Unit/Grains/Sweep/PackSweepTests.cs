using System.Runtime.CompilerServices;
using Angarium.Grains.DomainQueues;
using Angarium.Grains.Index;
using Angarium.Grains.Sweep;
using Angarium.Grains.View;
using Angarium.Mail;
using Angarium.Spool.Packs;
using Angarium.Unit.Grains.DomainQueues;
using Angarium.Unit.Grains.View;
using Microsoft.Extensions.Logging.Abstractions;

namespace Angarium.Unit.Grains.Sweep;

/// <summary>What one silo's sweep looks at, and when again (design rules 5 and 12), over tables of contents in memory and the real view and index.</summary>
public sealed class PackSweepTests : IPackStore, ISpoolReader, ISweepOffers
{
    private readonly ViewsUnderTest _all = new();
    private readonly ViewsUnderTest.Silo _silo;
    private readonly Reborn _reborn;
    private readonly AwayIndex _way;
    private readonly PackSweep _sweep;
    private readonly Dictionary<PackName, PackToc> _packs = [];
    private readonly List<PackName> _read = [];
    private readonly List<RecipientKey> _offered = [];
    private MemoryQueueIndex _index;
    private ulong _drawn;
    private int _unreachable, _asked;
    private int _failed;

    public PackSweepTests()
    {
        _silo = _all.Start("a");
        _index = new MemoryQueueIndex(() => 1_000, () => ++_drawn);
        _reborn = new Reborn(() => _index);
        _way = new AwayIndex(_reborn);
        _sweep = new PackSweep(this, this, _way, _silo.View, _all, _silo, _silo, this, _ => false, NullLogger<PackSweep>.Instance);
    }

    public int MaxCreationsInFlight => 1;

    [Fact]
    public async Task Pass_ChecksThePacksOfItsShareAndLearnsWhereAllMovedMailLies()
    {
        await _silo.Open();
        var (mine, others) = (Add(1, "a.test"), Add(2, "b.test"));
        var moved = Add(3, "c.test", PackKind.Moved);
        _silo.Share = item => item == Angarium.Grains.Membership.SiloShares.Item(mine);
        await PassAsync();
        Assert.Equal([mine.Id.Recipient(0)], _offered);
        Assert.DoesNotContain(others, _read);
        Assert.Equal(moved, _silo.View.Locate(new RecipientKey(3, 3, 0), new EntryPlace(PackName.Birth(new PackId(3, 3)), 0, 0))!.Value.Pack);
        // The other silo went: its share comes here.
        _silo.Share = _ => true;
        await PassAsync();
        Assert.Contains(others.Id.Recipient(0), _offered);
    }

    [Fact]
    public async Task Pass_WhenIdle_ReadsNoTableAndAsksTheIndexOnce()
    {
        await _silo.Open();
        for (uint n = 1; n <= 20; n++) Add(n, $"d{n}.test");
        await PassAsync();
        await PassAsync();
        _read.Clear();
        var calls = _way.Calls;
        await PassAsync();
        Assert.Empty(_read);
        Assert.Equal(calls + 1, _way.Calls);
    }

    [Fact]
    public async Task Pass_AfterAWipe_ChecksAllAgain()
    {
        await _silo.Open();
        Add(1, "a.test");
        Add(2, "b.test");
        await PassAsync();
        await PassAsync();
        _offered.Clear();
        _index = new MemoryQueueIndex(() => 1_000, () => ++_drawn);
        await PassAsync();
        Assert.Equal(2, _offered.Count);
    }

    [Fact]
    public async Task Pass_WhenOnePartitionWasReborn_ChecksOnlyThePacksInIt()
    {
        await _silo.Open();
        var a = Add(1, "a.test");
        Add(2, "b.test");
        await PassAsync();
        await PassAsync();
        _read.Clear();
        _reborn.Marks[IndexPartition.Of("a.test")] = 77;
        await PassAsync();
        Assert.Equal([a], _read);
    }

    /// <summary>A domain whose activation cannot be reached keeps nothing from those behind it; while none can be, the pass does not ask for each in vain.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(100)]
    public async Task Pass_DomainsCannotBeReached_TheOthersAreOfferedAndTheseAgain(int away)
    {
        await _silo.Open();
        var name = new PackName(PackKind.Birth, 1, 1);
        var keys = Enumerable.Range(0, 100).Select(i => name.Id.Recipient((ushort)i));
        _packs[name] = new PackToc
        {
            Name = name, Created = _all.Now,
            Entries = [.. keys.Select(key => new PackEntry { Domain = $"d{key.Ordinal:00}.test", Tenant = "t", Keys = [key], Born = _all.Now, Message = new MessageId(key) })],
        };
        _unreachable = away;
        await PassAsync();
        // One that does not answer ends the look at this pack; the next begins with the others.
        Assert.Equal(8, _asked);
        await PassAsync();
        Assert.Equal(100 - away, _offered.Count);
        Assert.InRange(_asked, 9, away == 1 ? 108 : 16);
        _unreachable = 0;
        await PassAsync();
        Assert.Equal(100, _offered.Distinct().Count());
    }

    /// <summary>It costs a timeout, and that once: not one of each pack that has mail for it.</summary>
    [Fact]
    public async Task Pass_ADomainOfManyPacksCannotBeReached_IsAskedOnce()
    {
        await _silo.Open();
        for (var pack = 1; pack <= 600; pack++)
        {
            var name = new PackName(PackKind.Birth, 1, (uint)pack);
            _packs[name] = new PackToc
            {
                Name = name, Created = _all.Now,
                Entries = [.. Enumerable.Range(0, 10).Select(i => name.Id.Recipient((ushort)i)).Select(key => new PackEntry { Domain = $"d{key.Ordinal:00}.test", Tenant = "t", Keys = [key], Born = _all.Now, Message = new MessageId(key) })],
            };
        }

        _unreachable = 1;
        await PassAsync();
        // Those whose turn had come before the first had failed.
        Assert.InRange(_failed, 1, 256);
        await PassAsync();
        Assert.Equal(600 * 9, _offered.Distinct().Count());
    }

    [Fact]
    public async Task Pass_WhileTheIndexIsAway_StillDeletesWhatIsFinished()
    {
        await _silo.Open();
        var (done, open) = (Add(1, "a.test"), Add(2, "b.test"));
        await PassAsync();
        await PassAsync();
        await _silo.Record(done.Id.Recipient(0));
        _way.IsAway = true;
        _read.Clear();
        await PassAsync();
        Assert.Equal([open], _packs.Keys);
        Assert.DoesNotContain(open, _read);
    }

    [Fact]
    public async Task Pass_OverManySmallPacks_LetsThemShareARefresh()
    {
        await _silo.Open();
        const int Packs = 100;
        for (uint n = 1; n <= Packs; n++) Add(n, $"d{n % 40}.test");
        await _silo.Record(new RecipientKey(999, 1, 0));
        _all.Ledger.Reads.Clear();
        await PassAsync();
        Assert.Equal(Packs, _offered.Count);
        // Each refresh looks at the one stream there is.
        Assert.InRange(_all.Ledger.Reads.Count, 1, 4);
    }

    private PackName Add(uint number, string domain, PackKind kind = PackKind.Birth)
    {
        var name = new PackName(kind, number, number);
        var key = name.Id.Recipient(0);
        _packs[name] = new PackToc { Name = name, Created = _all.Now, Entries = [new PackEntry { Domain = domain, Tenant = "t", Keys = [key], Born = _all.Now, Message = new MessageId(key) }] };
        return name;
    }

    private async Task PassAsync()
    {
        _all.Time.Advance(TimeSpan.FromSeconds(61));
        await _all.Until(_sweep.PassAsync(default));
    }

    public async IAsyncEnumerable<PackListing> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var pack in _packs.Values.ToList()) yield return new PackListing(pack.Name, 100, pack.Created);
        await Task.CompletedTask;
    }

    public Task<SpoolRead<PackToc>> ReadTocAsync(PackName name, CancellationToken cancellationToken)
    {
        lock (_read) _read.Add(name);
        return Task.FromResult(_packs.TryGetValue(name, out var toc) ? new SpoolRead<PackToc>(SpoolReadStatus.Found, toc) : default);
    }

    Task IPackStore.DeleteAsync(PackName name, CancellationToken cancellationToken)
    {
        _packs.Remove(name);
        return Task.CompletedTask;
    }

    public async Task<bool> OfferAsync(string domain, SweptOffer offer)
    {
        Interlocked.Increment(ref _asked);
        if (_unreachable > 0 && domain is ['d', var tens, var ones, ..] && ((tens - '0') * 10) + ones - '0' < _unreachable)
        {
            Interlocked.Increment(ref _failed);
            throw new TimeoutException("no answer");
        }

        lock (_offered) _offered.AddRange(offer.Entries.SelectMany(e => e.Keys));
        var stamp = await _index.TakeAsync(domain, 1, default);
        var changes = offer.Entries.SelectMany(e => e.Keys.Select(k => new IndexChange(new IndexRow(new Lane(e.Tenant, e.Class), e.Member(k), offer.SentAt, 0), Remove: false))).ToList();
        return await _index.WriteAsync(domain, new IndexOwner(1, stamp.Run), changes, default) == IndexWriteStatus.Done;
    }

    public Task<PackCreation> CreateAsync(PackName name, PackImage image, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<int> ReadAsync(PackName name, long offset, Memory<byte> into, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<SpoolRead<SpooledEntry>> ReadEntryAsync(EntryPlace place, CancellationToken cancellationToken) => throw new NotSupportedException();
}
