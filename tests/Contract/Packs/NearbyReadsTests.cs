using Angarium.Contract.Blobs;
using Angarium.Mail;
using Angarium.Spool.Packs;
using Angarium.TestKit.Servers;

namespace Angarium.Contract.Packs;

/// <summary>Packs as block blobs behind the windows that a process reads them through: the seam's promises are the same, requests are fewer.</summary>
public sealed class NearbyReadsTests : PackStoreContract, IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;
    private AzureStoresUnderTest _azure = null!;

    public async ValueTask InitializeAsync() => _azure = await AzureStoresUnderTest.CreateAsync();

    public ValueTask DisposeAsync() => _azure.DisposeAsync();

    protected override IPackStore Reopen() => new NearbyReads(_azure.Packs(), 8 << 20, TimeProvider.System);

    [Fact]
    public async Task Reads_OfOnePack_AreTwoRequests_AndOfManyPacksOneEach()
    {
        var spy = new RequestSpy();
        var store = new NearbyReads(_azure.Packs(spy: spy), 8 << 20, TimeProvider.System);
        for (uint number = 1; number <= 3; number++) await store.CreateAsync(new PackName(PackKind.Birth, 7, number), Image(200_000, (int)number), None);
        spy.Take();
        for (uint number = 1; number <= 3; number++) await IsReadAsync(number, 0);
        Assert.Equal(["GET 206", "GET 206", "GET 206"], spy.Take());
        for (var at = 1; at < 50; at++) await IsReadAsync(1, at * 4_000);
        Assert.Equal(["GET 206"], spy.Take());

        async Task IsReadAsync(uint number, int at)
        {
            var into = new byte[4_000];
            Assert.Equal(4_000, await store.ReadAsync(new PackName(PackKind.Birth, 7, number), at, into, None));
            Assert.Equal(Bytes(200_000, (int)number)[at..(at + 4_000)], into);
        }
    }
}
