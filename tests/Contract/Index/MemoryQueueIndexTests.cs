using Angarium.Grains.Index;
using Angarium.Mail;

namespace Angarium.Contract.Index;

/// <summary>The embedded index under the contract, its cap and what a queued recipient costs.</summary>
public sealed class MemoryQueueIndexTests : QueueIndexContract
{
    private MemoryQueueIndex _index = New(10_000);

    internal override IQueueIndex Index => _index;

    protected override Task WipeAsync()
    {
        _index = New(10_000);
        return Task.CompletedTask;
    }

    [Fact]
    public async Task Write_AtTheCap_RefusesWhatIsNewAndStillMovesAndRemoves()
    {
        _index = New(2);
        var owner = await TakeAsync();
        await PutAsync(owner, Row(1, 10), Row(2, 20));
        Assert.True(_index.IsFull);
        const string domain = "cap.test";
        var other = new IndexOwner(5, (await _index.TakeAsync(domain, 5, default)).Run);
        Assert.Equal(IndexWriteStatus.Full, await _index.WriteAsync(domain, other, [new IndexChange(Row(3, 30), Remove: false)], default));
        Assert.Equal(0, await _index.CountAsync(domain, default));
        await PutAsync(owner, Row(1, 90));
        Assert.Equal(2, _index.Count);
    }

    [Fact]
    public async Task Put_AQuarterOfAMillionRecipients_CostsAtMost300OctetsEach()
    {
        const int count = 250_000;
        var index = New(long.MaxValue);
        var owner = new IndexOwner(1, (await index.TakeAsync("big.test", 1, default)).Run);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        for (var i = 0; i < count; i += 1_000)
        {
            await index.WriteAsync("big.test", owner, [.. Enumerable.Range(i, 1_000).Select(n => new IndexChange(
                new IndexRow(new Lane("acme", MessageClass.Bulk), new IndexMember(new RecipientKey(9, (uint)(n / 1000), (ushort)(n % 1000)), 1, 2, 0), At(n % 5_000), 1), Remove: false))], default);
        }

        var each = (GC.GetTotalMemory(forceFullCollection: true) - before) / (double)count;
        GC.KeepAlive(index);
        Assert.InRange(each, 32, 300);
        TestContext.Current.TestOutputHelper?.WriteLine($"{each:f0} octets a recipient");
    }

    private static MemoryQueueIndex New(long max) => new(() => max, () => (ulong)Random.Shared.NextInt64());
}
