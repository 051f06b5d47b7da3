using Angarium.Grains.Cleaner;
using Angarium.Grains.DomainQueues;
using Angarium.Grains.Index;
using Angarium.Grains.Membership;
using Angarium.Grains.Sweep;
using Angarium.Grains.View;
using Angarium.Mail;
using Angarium.Spool.Files;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;
using Angarium.Spool.Time;
using Angarium.TestKit.Storage;
using Angarium.Unit.Grains.Control;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Grains.Cleaner;

/// <summary>The cleaner together with sweep, view and the file provider, on a real file system in virtual time.</summary>
public sealed class PackCleanerTests : IAsyncDisposable
{
    private static readonly TimeSpan Retention = TimeSpan.FromDays(30);
    private readonly string _data = Path.Combine(Path.GetTempPath(), "angarium-test-" + Guid.NewGuid().ToString("n"));
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddMilliseconds(1_800_000_000_000));
    private readonly TestClock _clock;
    private readonly FilePackStore _packs;
    private readonly FileLedgerStore _ledger;
    private readonly SpoolReader _reader;
    private readonly PackWriter _writer;
    private readonly PackMover _mover;
    private readonly RecordView _view;
    private readonly PackSweep _sweep;
    private readonly PackCleaner _cleaner;
    private readonly IndexOffers _offers;
    private ulong _drawn;
    private long _fed;

    public PackCleanerTests()
    {
        _clock = new TestClock(_time);
        var log = NullLogger.Instance;
        LocalFileSystem.Instance.CreateFolder(_data);
        var space = new FreeSpace(LocalFileSystem.Instance, _data, new MinFree(0, 1), _time);
        _packs = new FilePackStore(LocalFileSystem.Instance, _data, space, _clock, _time, log);
        _ledger = new FileLedgerStore(LocalFileSystem.Instance, _data, log);
        var cache = new PackCache(0);
        _reader = new SpoolReader(_packs, cache, log);
        _writer = new PackWriter(_packs, cache, _clock, _time, TimeSpan.Zero, log);
        _mover = new PackMover(_packs, _reader, new ScratchFolder(_data, space, log), _clock, _time, log);
        _view = new RecordView(_ledger, new MemoryDocuments(), _clock, new SoleStanding(), new SoleSilo(), LedgerReader.Decode, () => 1, _time, NullLogger<RecordView>.Instance);
        var index = new MemoryQueueIndex(() => 1_000_000, () => ++_drawn);
        _offers = new IndexOffers(index);
        _sweep = new PackSweep(_packs, _reader, index, _view, _clock, new SoleStanding(), new SoleSilo(), _offers, _ => true, NullLogger<PackSweep>.Instance);
        _cleaner = new PackCleaner(_packs, _reader, _mover, _view, _clock, new SoleSilo(), NullLogger<PackCleaner>.Instance);
    }

    public async ValueTask DisposeAsync()
    {
        await _writer.DisposeAsync();
        _mover.Dispose();
        _packs.Dispose();
        _ledger.Dispose();
        Directory.Delete(_data, recursive: true);
    }

    [Fact]
    public async Task Pass_OneEntryLeftOfAnOldPack_IsCopiedAndReadAfterItsSourceWasDeleted()
    {
        await _view.OpenAsync(CancellationToken.None);
        var mails = Enumerable.Range(0, 10).Select(i => Mails.To($"Subject: {i}\r\n\r\nbody\r\n", "a@one.example", "b@one.example")).ToArray();
        var ids = await CommitAsync(mails);
        foreach (var id in ids[..^1]) Finish(id.First, id.First with { Ordinal = (ushort)(id.First.Ordinal + 1) });
        var left = ids[^1];
        var done = left.First with { Ordinal = (ushort)(left.First.Ordinal + 1) };
        Finish(done);
        // The index knows the place of birth, as it was told at acceptance.
        var birth = await BirthAsync(left.First);

        await PassesAsync(TimeSpan.FromMinutes(50));
        // Both are there: the copy is named, for another silo may delete the source at any time from now on.
        Assert.Equal(2, (await _packs.ListAsync(CancellationToken.None).ToListAsync()).Count);
        Assert.Equal(PackKind.Moved, _view.Locate(left.First, birth)!.Value.Pack.Kind);
        await PassesAsync(TimeSpan.FromMinutes(40));

        var pack = Assert.Single(await _packs.ListAsync(CancellationToken.None).ToListAsync());
        Assert.Equal(PackKind.Moved, pack.Name.Kind);
        var place = _view.Locate(left.First, birth);
        Assert.Equal(pack.Name, place!.Value.Pack);
        var row = Assert.Single((await _reader.ReadTocAsync(pack.Name, CancellationToken.None)).Value!.Entries);
        Assert.Equal((birth.Offset, birth.Length), (row.BirthOffset, row.BirthLength));
        Assert.Null(_view.Locate(done, birth));
        using (var entry = (await _reader.ReadEntryAsync(place.Value, CancellationToken.None)).Value!)
        {
            Assert.Equal([left.First], entry.Keys);
            Assert.Equal(left, entry.Message);
            Assert.Equal(["a@one.example"], entry.Envelope.Recipients.Select(r => r.Address));
            Assert.Equal(Mails.Sent(mails[^1], left), await Mails.ContentAsync(entry));
        }

        Finish(left.First);
        await PassesAsync(TimeSpan.FromMinutes(5));
        Assert.Empty(await _packs.ListAsync(CancellationToken.None).ToListAsync());
    }

    [Fact]
    public async Task Pass_PositionsOlderThanHalfTheRetention_AreReplacedAndTheRecipientStaysInSight()
    {
        await _view.OpenAsync(CancellationToken.None);
        var ids = await CommitAsync([.. Enumerable.Range(0, 10).Select(i => Mails.To($"Subject: {i}\r\n\r\nbody\r\n", "a@one.example"))]);
        foreach (var id in ids[..^1]) Finish(id.First);
        var birth = await BirthAsync(ids[^1].First);
        await PassesAsync(TimeSpan.FromMinutes(90));
        var first = _view.Locate(ids[^1].First, birth)!.Value.Pack;
        _time.Advance(Retention / 2);
        for (var minutes = 0; minutes < 150; minutes++)
        {
            await PassesAsync(TimeSpan.FromMinutes(1));
            Assert.NotNull(_view.Locate(ids[^1].First, birth));
        }

        var second = _view.Locate(ids[^1].First, birth)!.Value;
        Assert.NotEqual(first, second.Pack);
        Assert.Equal(second.Pack, Assert.Single(await _packs.ListAsync(CancellationToken.None).ToListAsync()).Name);
        (await _reader.ReadEntryAsync(second, CancellationToken.None)).Value!.Dispose();
        var row = Assert.Single((await _reader.ReadTocAsync(second.Pack, CancellationToken.None)).Value!.Entries);
        Assert.Equal((birth.Offset, birth.Length), (row.BirthOffset, row.BirthLength));
    }

    /// <summary>
    /// Live mail = octets of content unfinished. Beyond three times that the disk may hold what was accepted within <see cref="PackCleaner.Fresh"/>, and no more. Without copies it holds
    /// nearly everything: the bound notices.
    /// </summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Pass_OnePercentDeferredForDays_KeepsTheDiskWithinThreeTimesTheLiveMail(bool copies)
    {
        const int PerStep = 100, Size = 2_000, PerDay = 24 * 6;
        var step = TimeSpan.FromMinutes(10);
        await _view.OpenAsync(CancellationToken.None);
        var body = Enumerable.Repeat((byte)'x', Size).ToArray();
        var mails = Enumerable.Range(0, PerStep).Select(i => Mails.To(body, $"a@d{i % 7}.example")).ToArray();
        var deferred = new Queue<(StoreTime Born, RecipientKey Key, EntryPlace Birth)>();
        double worst = 0;
        for (var at = 0; at < PerDay * (copies ? 5 : 1); at++)
        {
            var ids = await CommitAsync(mails);
            deferred.Enqueue((_clock.Now, ids[at % PerStep].First, await BirthAsync(ids[at % PerStep].First)));
            for (var i = 0; i < PerStep; i++)
            {
                if (i != at % PerStep) Finish(ids[i].First);
            }

            while (_clock.Now - deferred.Peek().Born >= TimeSpan.FromDays(4)) Finish(deferred.Dequeue().Key);
            _time.Advance(step);
            await _sweep.PassAsync(CancellationToken.None);
            if (copies) await _cleaner.PassAsync(Retention, CancellationToken.None);
            if (at < 12 || at % 6 != 0) continue;
            var fresh = PerStep * Size * (PackCleaner.Fresh / step);
            worst = Math.Max(worst, (DiskBytes() - fresh) / (deferred.Count * (double)Size));
            foreach (var (_, key, birth) in deferred)
            {
                var read = await _reader.ReadEntryAsync(_view.Locate(key, birth)!.Value, CancellationToken.None);
                using var entry = read.Value!;
                Assert.Contains(key, entry.Keys);
            }
        }

        Assert.Equal(copies, worst <= 3);
    }

    /// <summary>What is left of a segment is judged by all that was put into it, however few packs of it are there to say so, and whether or not its writer goes on.</summary>
    [Fact]
    public async Task Pass_OneDenseFirstPackOfAnIdleWriter_IsCopied()
    {
        await _view.OpenAsync(CancellationToken.None);
        var body = Enumerable.Repeat((byte)'x', 200_000).ToArray();
        var left = (await CommitAsync([Mails.To(body, "a@one.example")]))[0];
        var birth = await BirthAsync(left.First);
        for (var i = 0; i < 25; i++) Finish((await CommitAsync([Mails.To(body, "a@one.example")]))[0].First);
        await PassesAsync(TimeSpan.FromMinutes(90));
        Assert.Equal(PackKind.Moved, Assert.Single(await _packs.ListAsync(CancellationToken.None).ToListAsync()).Name.Kind);
        Assert.InRange(DiskBytes(), body.Length, 2 * body.Length);
        (await _reader.ReadEntryAsync(_view.Locate(left.First, birth)!.Value, CancellationToken.None)).Value!.Dispose();

        // A copy that is wholly live is left in peace.
        var copy = _view.Locate(left.First, birth)!.Value.Pack;
        await PassesAsync(TimeSpan.FromMinutes(240));
        Assert.Equal(copy, Assert.Single(await _packs.ListAsync(CancellationToken.None).ToListAsync()).Name);
    }

    /// <summary>One entry cannot be read for some time: what would be copied with it is copied all the same, and it when it can be read.</summary>
    [Fact]
    public async Task Pass_OneEntryCannotBeReadForSomeTime_IsCopiedLaterAndTheOthersNow()
    {
        await _view.OpenAsync(CancellationToken.None);
        var ids = await CommitAsync([.. Enumerable.Range(0, 40).Select(i => Mails.To($"Subject: {i}\r\n\r\nbody\r\n", "a@one.example"))]);
        var left = ids[30..];
        foreach (var id in ids[..30]) Finish(id.First);
        var mover = new FailingMover(_mover, left[4].First) { Fails = true };
        var cleaner = new PackCleaner(_packs, _reader, mover, _view, _clock, new SoleSilo(), NullLogger<PackCleaner>.Instance);
        _time.Advance(TimeSpan.FromMinutes(21));
        await cleaner.PassAsync(Retention, CancellationToken.None);
        Assert.Equal(left.Select(id => id.First).Where(k => k != left[4].First), mover.Moved.Order());
        mover.Fails = false;
        _time.Advance(TimeSpan.FromMinutes(11));
        await cleaner.PassAsync(Retention, CancellationToken.None);
        Assert.Contains(left[4].First, mover.Moved);
    }

    private sealed class FailingMover(IPackMover mover, RecipientKey unreadable) : IPackMover
    {
        public bool Fails { get; set; }

        public List<RecipientKey> Moved { get; } = [];

        public async Task<PackName?> MoveAsync(IReadOnlyList<MovedEntry> entries, IReadOnlyList<PackName> sources, IReadOnlyList<LedgerPosition> positions, CancellationToken cancellationToken)
        {
            if (Fails && entries.Any(e => e.Unfinished.Contains(unreadable))) throw new IOException("EIO");
            Moved.AddRange(entries.SelectMany(e => e.Unfinished));
            return await mover.MoveAsync(entries, sources, positions, cancellationToken);
        }
    }

    /// <summary>
    /// Rule 10: a delivered recipient's pack is deleted and forgotten; then a copy of it appears that was begun before. What the ledger says is read again before the copy is believed.
    /// </summary>
    [Fact]
    public async Task Sweep_CopyOfAForgottenPackAppears_ItsRecordsAreReadAgain()
    {
        await _view.OpenAsync(CancellationToken.None);
        var id = (await CommitAsync([Mails.To("Subject: x\r\n\r\nbody\r\n", "a@one.example")]))[0];
        var birth = await BirthAsync(id.First);
        var row = (await _reader.ReadTocAsync(birth.Pack, CancellationToken.None)).Value!.Entries[0];
        var slow = new PackMover(_packs, _reader, new ScratchFolder(_data, new FreeSpace(LocalFileSystem.Instance, _data, new MinFree(0, 1), _time), NullLogger.Instance), _clock, _time, NullLogger.Instance);
        var copy = await slow.MoveAsync([new MovedEntry(birth.Pack, row, [id.First])], [birth.Pack], _view.Positions, CancellationToken.None);
        var image = new byte[(await _packs.ListAsync(CancellationToken.None).FirstAsync(p => p.Name == copy)).Length];
        Assert.Equal(image.Length, await _packs.ReadAsync(copy!.Value, 0, image, CancellationToken.None));
        await _packs.DeleteAsync(copy.Value, CancellationToken.None);

        var ledger = new LedgerWriter(_ledger, new MemoryDocuments(), _clock, _time, NullLogger.Instance, _view.OnDurable);
        await ledger.AppendAsync([new LedgerRecord { Key = id.First, Kind = LedgerKind.Delivered, Time = _clock.Now }]);
        await PassesAsync(TimeSpan.FromMinutes(130));
        Assert.Equal(RecipientBits.None, _view.Bits(id.First));
        _offers.Offered.Clear();
        Assert.Equal(PackCreation.Created, await _packs.CreateAsync(copy.Value with { Number = 1 }, new PackImage(image, null), CancellationToken.None));
        await PassesAsync(TimeSpan.FromMinutes(3));
        Assert.Empty(_offers.Offered);
        Assert.Empty(await _packs.ListAsync(CancellationToken.None).ToListAsync());
        await ledger.DisposeAsync();
        slow.Dispose();
    }

    private async Task<MessageId[]> CommitAsync(NewMessage[] mails) =>
        [.. (await Task.WhenAll(mails.Select(m => _writer.CommitAsync(m, CancellationToken.None)))).Select(r => r.Id)];

    private async Task<EntryPlace> BirthAsync(RecipientKey key)
    {
        var name = PackName.Birth(key.PackId);
        var toc = (await _reader.ReadTocAsync(name, CancellationToken.None)).Value!;
        var entry = toc.Entries.First(e => e.Keys.Contains(key));
        return new EntryPlace(name, entry.Offset, entry.Length);
    }

    private void Finish(params RecipientKey[] keys) =>
        _view.OnDurable(new LedgerStream(1, 1), ++_fed, [.. keys.Select(k => new LedgerRecord { Key = k, Kind = LedgerKind.Delivered, Time = _clock.Now })]);

    private async Task PassesAsync(TimeSpan time)
    {
        for (var until = _clock.Now + time; _clock.Now < until;)
        {
            _time.Advance(TimeSpan.FromMinutes(1));
            await PassAsync();
        }
    }

    private async Task PassAsync()
    {
        await _sweep.PassAsync(CancellationToken.None);
        await _cleaner.PassAsync(Retention, CancellationToken.None);
    }

    private long DiskBytes() => new[] { "spool", "moved" }.Select(f => new DirectoryInfo(Path.Combine(_data, f))).Where(f => f.Exists)
        .Sum(f => f.EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length));

    private sealed class TestClock(TimeProvider time) : IStoreClock
    {
        public StoreTime Now => StoreTime.FromDateTimeOffset(time.GetUtcNow());

        public bool IsSettled => true;
    }

    /// <summary>A domain that puts into the index whatever it is offered.</summary>
    private sealed class IndexOffers(MemoryQueueIndex index) : ISweepOffers
    {
        public List<RecipientKey> Offered { get; } = [];

        public async Task<bool> OfferAsync(string domain, SweptOffer offer)
        {
            Offered.AddRange(offer.Entries.SelectMany(e => e.Keys));
            var stamp = await index.TakeAsync(domain, 1, CancellationToken.None);
            var changes = offer.Entries.SelectMany(e => e.Keys.Select(k => new IndexChange(
                new IndexRow(new Lane(e.Tenant, e.Class), new IndexMember(k, e.Offset, e.Length, e.Message.Ordinal), offer.SentAt, 0), Remove: false))).ToList();
            return await index.WriteAsync(domain, new IndexOwner(1, stamp.Run), changes, CancellationToken.None) == IndexWriteStatus.Done;
        }
    }
}
