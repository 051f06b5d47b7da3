using Angarium.Mail;
using Angarium.Spool.Packs;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Spool;

/// <summary>Windows of packs against a store that counts, holds back and fails its reads.</summary>
public sealed class NearbyReadsTests : IPackStore
{
    private const int Window = 512 << 10;
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly PackName One = new(PackKind.Birth, 7, 1);
    private readonly FakeTimeProvider _time = new();
    private readonly byte[] _pack = new byte[900_000];
    private readonly List<(PackName Pack, long Offset, int Length)> _reads = [];
    private readonly NearbyReads _nearby;
    private Func<Task> _before = () => Task.CompletedTask;
    private bool _isDeleted;

    public NearbyReadsTests()
    {
        new Random(1).NextBytes(_pack);
        _nearby = new NearbyReads(this, 2 * Window, _time);
    }

    [Fact]
    public async Task Reads_AnywhereInAPack_GiveWhatIsThere()
    {
        var random = new Random(2);
        for (var i = 0; i < 2_000; i++)
        {
            var (at, length) = (random.Next(_pack.Length + 10), random.Next(1, 300_000));
            await IsReadAsync(One, at, length);
        }
    }

    [Fact]
    public async Task ReadsAtTheSameTime_ShareOneRequest()
    {
        await IsReadAsync(One, 0, 10);
        var gate = new TaskCompletionSource();
        _before = () => gate.Task;
        var reads = Enumerable.Range(0, 20).Select(i => IsReadAsync(One, i * 10_000, 10_000)).ToList();
        gate.SetResult();
        await Task.WhenAll(reads);
        Assert.Equal([(One, 0, 10), (One, 0, Window)], _reads);
    }

    [Fact]
    public async Task AReaderThatGivesUp_TakesNothingFromTheOthers()
    {
        await IsReadAsync(One, 0, 10);
        var gate = new TaskCompletionSource();
        _before = () => gate.Task;
        using var impatient = new CancellationTokenSource();
        var gone = _nearby.ReadAsync(One, 0, new byte[10], impatient.Token).AsTask();
        var stays = IsReadAsync(One, 100, 50_000);
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        gate.SetResult();
        await stays;
    }

    /// <summary>All who waited for it are told; who comes next asks again.</summary>
    [Fact]
    public async Task AReadThatFails_IsNotKept()
    {
        await IsReadAsync(One, 0, 10);
        _before = () => throw new IOException("down");
        var failed = Enumerable.Range(0, 3).Select(i => _nearby.ReadAsync(One, i, new byte[10], None).AsTask()).ToList();
        foreach (var read in failed) await Assert.ThrowsAsync<IOException>(() => read);
        _before = () => Task.CompletedTask;
        await IsReadAsync(One, 0, 10);
    }

    [Fact]
    public async Task APackThatIsDeleted_IsGoneAtOnceHere_AndWithinHalfAMinuteElsewhere()
    {
        for (var i = 0; i < 2; i++) await IsReadAsync(One, 0, 10);
        _isDeleted = true;
        await IsReadAsync(One, 0, 10);
        _time.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal(-1, await _nearby.ReadAsync(One, 0, new byte[10], None));
        _isDeleted = false;
        await IsReadAsync(One, 0, 10);
        await _nearby.DeleteAsync(One, None);
        Assert.Equal(-1, await _nearby.ReadAsync(One, 0, new byte[10], None));
    }

    /// <summary>Two windows fit: of three packs read in turns none stays, of two both do.</summary>
    [Theory]
    [InlineData(2, 4)]
    [InlineData(3, 3 + 3 * 4)]
    public async Task Windows_BeyondTheirBound_GoOldestFirst(uint packs, int requests)
    {
        for (var round = 0; round < 5; round++)
            for (uint number = 1; number <= packs; number++) await IsReadAsync(One with { Number = number }, 0, 10);
        Assert.Equal(requests, _reads.Count);
    }

    /// <summary>What is tried again after a while lies alone by then: it costs what it is.</summary>
    [Fact]
    public async Task AReadLongAfterTheLast_IsMadeAsAsked()
    {
        for (var i = 0; i < 5; i++)
        {
            await IsReadAsync(One, 0, 10);
            _time.Advance(TimeSpan.FromSeconds(30));
        }

        Assert.All(_reads, read => Assert.Equal(10, read.Length));
    }

    [Fact]
    public async Task WhileManyWindowsAreOnTheirWay_OthersReadAsAsked()
    {
        for (uint number = 1; number <= 5; number++) await IsReadAsync(One with { Number = number }, 0, 10);
        _reads.Clear();
        var gate = new TaskCompletionSource();
        _before = () => gate.Task;
        var reads = Enumerable.Range(1, 5).Select(number => IsReadAsync(One with { Number = (uint)number }, 0, 10)).ToList();
        gate.SetResult();
        await Task.WhenAll(reads);
        Assert.Equal([Window, Window, 10, 10, 10], _reads.Select(read => read.Length));
    }

    private async Task IsReadAsync(PackName pack, int at, int length)
    {
        var into = new byte[length];
        var got = await _nearby.ReadAsync(pack, at, into, None);
        Assert.Equal(Math.Min(length, Math.Max(0, _pack.Length - at)), got);
        Assert.True(into.AsSpan(0, got).SequenceEqual(_pack.AsSpan(Math.Min(at, _pack.Length), got)));
    }

    int IPackStore.MaxCreationsInFlight => 1;

    async ValueTask<int> IPackStore.ReadAsync(PackName name, long offset, Memory<byte> into, CancellationToken cancellationToken)
    {
        lock (_reads) _reads.Add((name, offset, into.Length));
        await _before();
        if (_isDeleted) return -1;
        var part = _pack.AsMemory((int)Math.Min(offset, _pack.Length));
        if (part.Length > into.Length) part = part[..into.Length];
        part.CopyTo(into);
        return part.Length;
    }

    Task IPackStore.DeleteAsync(PackName name, CancellationToken cancellationToken)
    {
        _isDeleted = true;
        return Task.CompletedTask;
    }

    Task<PackCreation> IPackStore.CreateAsync(PackName name, PackImage image, CancellationToken cancellationToken) => throw new NotSupportedException();

    IAsyncEnumerable<PackListing> IPackStore.ListAsync(CancellationToken cancellationToken) => throw new NotSupportedException();
}
