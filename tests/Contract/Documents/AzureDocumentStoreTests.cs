using Angarium.Contract.Blobs;
using Angarium.Spool.Documents;
using Angarium.TestKit.Servers;

namespace Angarium.Contract.Documents;

/// <summary>Documents as blobs.</summary>
public sealed class AzureDocumentStoreTests : DocumentStoreContract, IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;
    private AzureStoresUnderTest _azure = null!;

    public async ValueTask InitializeAsync() => _azure = await AzureStoresUnderTest.CreateAsync();

    public ValueTask DisposeAsync() => _azure.DisposeAsync();

    protected override IDocumentStore Reopen() => _azure.Documents();

    [Theory]
    [InlineData("ledger/writers", "ledger", "writers")]
    [InlineData("ledger/other", "private", "ledger/other")]
    [InlineData("cluster/membership", "cluster", "membership")]
    [InlineData("control/a", "private", "control/a")]
    public async Task Write_ByItsName_GoesToItsContainer(string name, string container, string blob)
    {
        var store = Reopen();
        Assert.NotNull(await store.WriteAsync(name, new byte[] { 1 }, null, None));
        Assert.Equal([blob], await _azure.Open(_azure.Options)[container]!.Reads.GetBlobsAsync().Select(b => b.Name).ToListAsync());
        Assert.Equal([name], await store.ListAsync("", None));
        Assert.Equal([name], await store.ListAsync(name[..^2], None));
        Assert.Empty(await store.ListAsync(name + "x", None));
    }

    [Fact]
    public async Task EachCall_IsOneRequest()
    {
        var spy = new RequestSpy();
        var store = _azure.Documents(spy: spy);
        var tag = await store.WriteAsync("cluster/membership", new byte[1000], null, None);
        Assert.Equal(["PUT 201"], spy.Take());
        await store.ReadAsync("cluster/membership", None);
        Assert.Equal(["GET 200"], spy.Take());
        Assert.False((await store.ReadIfChangedAsync("cluster/membership", tag, None)).HasChanged);
        Assert.Equal(["GET 304"], spy.Take());
        Assert.Null(await store.WriteAsync("cluster/membership", new byte[1], "\"0x1\"", None));
        Assert.Equal(["PUT 412"], spy.Take());
    }

    [Fact]
    public async Task Write_WhoseAnswerWasLost_IsAFailureAndNotRepeated()
    {
        var spy = new RequestSpy { LosesAnswer = r => r.Method == Azure.Core.RequestMethod.Put };
        var store = _azure.Documents(spy: spy);
        await Assert.ThrowsAsync<IOException>(() => store.WriteAsync("a", new byte[] { 1 }, null, None));
        Assert.Equal(["PUT 201"], spy.Take());
        Assert.Equal((byte[])[1], (await store.ReadAsync("a", None))!.Content.ToArray());
    }

    [Fact]
    public async Task Read_WhoseAnswerWasLostOnce_IsRepeated()
    {
        await Reopen().WriteAsync("a", new byte[] { 1 }, null, None);
        var lost = 0;
        var spy = new RequestSpy { LosesAnswer = _ => Interlocked.Increment(ref lost) == 1 };
        Assert.NotNull(await _azure.Documents(spy: spy).ReadAsync("a", None));
        Assert.Equal(2, spy.Take().Count);
    }

    [Theory]
    [InlineData("ingress")]
    [InlineData("egress")]
    [InlineData("api")]
    public async Task Clients_ReadTheMembershipDocument_AndCannotWriteIt(string role)
    {
        await Reopen().WriteAsync("cluster/membership", new byte[] { 1 }, null, None);
        await Reopen().WriteAsync("control/a", new byte[] { 1 }, null, None);
        var store = _azure.Documents(_azure.KeysOf(role));
        var read = await store.ReadAsync("cluster/membership", None);
        Assert.Equal((byte[])[1], read!.Content.ToArray());
        await Assert.ThrowsAsync<IOException>(() => store.WriteAsync("cluster/membership", new byte[] { 2 }, read.Tag, None));
        await Assert.ThrowsAsync<IOException>(() => store.WriteAsync("cluster/other", new byte[] { 2 }, null, None));
        await Assert.ThrowsAsync<IOException>(() => store.DeleteAsync("cluster/membership", None));
        await Assert.ThrowsAsync<InvalidOperationException>(() => store.ReadAsync("control/a", None));
        Assert.Equal(read.Tag, (await Reopen().ReadAsync("cluster/membership", None))!.Tag);
    }
}
