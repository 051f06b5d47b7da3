using Angarium.Host.Sink;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Host;

public sealed class SinkStoreTests
{
    private static SinkStore Fill(int maxMessages, long maxOctets, int count, int size)
    {
        var store = new SinkStore(maxMessages, maxOctets, new FakeTimeProvider());
        for (var i = 0; i < count; i++) store.Add("c", "a@b", ["x@y"], new byte[size]);
        return store;
    }

    [Fact]
    public void Add_MoreThanKept_ForgetsTheOldest()
    {
        var store = Fill(maxMessages: 3, maxOctets: 1 << 20, count: 5, size: 10);
        Assert.Equal([5L, 4, 3], store.Latest(10).Select(message => message.Id));
        Assert.Null(store.Find(2));
        Assert.NotNull(store.Find(3));
        Assert.Equal(5, store.Received);
    }

    [Fact]
    public void Add_MoreOctetsThanKept_ForgetsTheOldest() => Assert.Equal(2, Fill(maxMessages: 100, maxOctets: 4_000, count: 5, size: 1_000).Latest(10).Count);

    [Fact]
    public void Add_OneLargerThanAllowed_KeepsThatOne() => Assert.Equal([2L], Fill(maxMessages: 100, maxOctets: 1_000, count: 2, size: 5_000).Latest(10).Select(message => message.Id));
}
