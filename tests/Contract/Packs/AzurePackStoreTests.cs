using Angarium.Contract.Blobs;
using Angarium.Mail;
using Angarium.Spool;
using Angarium.Spool.Packs;
using Angarium.TestKit.Servers;

namespace Angarium.Contract.Packs;

/// <summary>Packs as block blobs.</summary>
public sealed class AzurePackStoreTests : PackStoreContract, IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly PackName One = new(PackKind.Birth, 0xabc, 1);
    private AzureStoresUnderTest _azure = null!;

    public async ValueTask InitializeAsync() => _azure = await AzureStoresUnderTest.CreateAsync();

    public ValueTask DisposeAsync() => _azure.DisposeAsync();

    protected override IPackStore Reopen() => _azure.Packs();

    [Fact]
    public async Task EachCall_OfASmallPack_IsOneRequest()
    {
        var spy = new RequestSpy();
        var store = _azure.Packs(spy: spy);
        await store.CreateAsync(One, Image(300_000, 1), None);
        Assert.Equal(["PUT 201"], spy.Take());
        await store.CreateAsync(One, Image(300_000, 1), None);
        Assert.Equal(["PUT 409"], spy.Take());
        await store.ReadAsync(One, 10, new byte[5], None);
        Assert.Equal(["GET 206"], spy.Take());
        await store.ReadAsync(One with { Number = 2 }, 10, new byte[5], None);
        Assert.Equal(["GET 404"], spy.Take());
        await store.ListAsync(None).CountAsync();
        Assert.Equal(["GET 200", "GET 200"], spy.Take());
        await store.DeleteAsync(One, None);
        Assert.Equal(["DELETE 202"], spy.Take());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Create_WhoseAnswerWasLost_IsUnknownAndThenExists(bool asIngress)
    {
        var spy = new RequestSpy { LosesAnswer = _ => true };
        var store = _azure.Packs(asIngress ? _azure.KeysOf("ingress") : null, spy);
        Assert.Equal(PackCreation.Unknown, await store.CreateAsync(One, Image(100, 1), None));
        Assert.Single(spy.Take());
        spy.LosesAnswer = _ => false;
        Assert.Equal(PackCreation.Exists, await store.CreateAsync(One, Image(100, 1), None));
        Assert.Equal(Bytes(100, 1), await ReadAsync(Reopen(), One));
    }

    [Fact]
    public async Task Create_WithACredentialThatIsWrong_IsNeverExists()
    {
        await Reopen().CreateAsync(One, Image(100, 1), None);
        var ingress = _azure.KeysOf("ingress");
        var spool = ingress.Containers["spool"];
        AzureStoreOptions[] wrong =
        [
            // Signed with another key, of another container, over, and one that may read only.
            With(spool[..^8] + "AAAAA%3D"), With(ingress.Containers["cluster"].Replace("-cluster", "-spool", StringComparison.Ordinal)),
            _azure.KeysOf("ingress", TimeSpan.FromMinutes(-1)), With(_azure.KeysOf("egress").Containers["spool"]),
        ];
        foreach (var options in wrong)
        {
            foreach (var name in new[] { One, One with { Number = 2 } })
                Assert.Equal(PackCreation.Unknown, await _azure.Packs(options).CreateAsync(name, Image(100, 1), None));
        }

        Assert.Single(await Reopen().ListAsync(None).ToListAsync());
        AzureStoreOptions With(string address) => ingress with { Containers = new Dictionary<string, string> { ["spool"] = address } };
    }

    [Fact]
    public async Task Create_WithoutAContainer_IsUnknownAndReadsAreFailures()
    {
        var store = _azure.Packs(_azure.Options with { Prefix = _azure.Options.Prefix + "-none" });
        Assert.Equal(PackCreation.Unknown, await store.CreateAsync(One, Image(100, 1), None));
        await Assert.ThrowsAsync<IOException>(async () => await store.ReadAsync(One, 0, new byte[1], None));
        await Assert.ThrowsAsync<IOException>(async () => await store.ListAsync(None).CountAsync());
        await Assert.ThrowsAsync<IOException>(() => store.DeleteAsync(One, None));
    }

    [Fact]
    public async Task Create_OfALargeMessage_IsOneRequestThatReadsTheFileAsItGoes()
    {
        var path = Path.GetTempFileName();
        try
        {
            var content = Bytes(20_000_001, 4);
            await File.WriteAllBytesAsync(path, content);
            using var tail = new ScratchContent(File.OpenHandle(path), content.Length, 0, false);

            // What changes in the file when the request is about to leave is sent as it is then: nothing was read before.
            content[^1]++;
            var spy = new RequestSpy { Before = request => request.Method == Azure.Core.RequestMethod.Put ? File.WriteAllBytesAsync(path, content) : Task.CompletedTask };
            var store = _azure.Packs(spy: spy);
            Assert.Equal(PackCreation.Created, await store.CreateAsync(One, new PackImage(Bytes(100, 3), tail), None));
            Assert.Equal(["PUT 201"], spy.Take());
            Assert.Equal(content.Length + 100, Assert.Single(await store.ListAsync(None).ToListAsync()).Length);
            var read = new byte[content.Length + 200];
            Assert.Equal(content.Length + 100, await store.ReadAsync(One, 0, read, None));
            Assert.Equal((byte[])[.. Bytes(100, 3), .. content], read[..(content.Length + 100)]);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public async Task List_PassesOverNamesThatAreNotOurs_AndTellsTheStoresTimeOfCreation()
    {
        var store = Reopen();
        var container = _azure.Open(_azure.Options)["spool"]!.Writes;
        foreach (var name in new[] { "x", "0000000000000abc/", "0000000000000abc/01", "0000000000000ABC/1", "0000000000000abc/1/2", "0000000000000abc/4294967296" })
            await container.UploadBlobAsync(name, BinaryData.FromString("x"));
        var before = DateTimeOffset.UtcNow;
        await store.CreateAsync(One, Image(1, 1), None);
        var listing = Assert.Single(await store.ListAsync(None).ToListAsync());
        Assert.Equal((One, default), (listing.Name, listing.Unit));
        Assert.InRange(listing.Created.ToDateTimeOffset(), before.AddSeconds(-2), before.AddSeconds(60));
    }

    [Fact]
    public async Task Ingress_Creates_AndNeitherOverwritesReadsListsDeletesNorPutsBlocks()
    {
        await Reopen().CreateAsync(One, Image(100, 1), None);
        var keys = _azure.KeysOf("ingress");
        var store = _azure.Packs(keys);
        Assert.Equal(PackCreation.Created, await store.CreateAsync(One with { Number = 2 }, Image(50, 2), None));
        var spool = _azure.Open(keys)["spool"]!.Writes;
        var blob = spool.GetBlobClient("0000000000000abc/1");
        await RefusedAsync(() => blob.UploadAsync(BinaryData.FromString("forged"), overwrite: true));
        await RefusedAsync(() => blob.DownloadContentAsync());
        await RefusedAsync(() => blob.GetPropertiesAsync());
        await RefusedAsync(() => blob.DeleteAsync());
        await RefusedAsync(() => blob.SetMetadataAsync(new Dictionary<string, string> { ["a"] = "b" }));
        await RefusedAsync(async () => await spool.GetBlobsAsync().ToListAsync());
        await RefusedAsync(() => Azure.Storage.Blobs.Specialized.SpecializedBlobExtensions.GetBlockBlobClient(spool, "0000000000000abc/3").StageBlockAsync("AAAA", new MemoryStream([1])));
        await RefusedAsync(() => spool.DeleteAsync());
        Assert.Equal(Bytes(100, 1), await ReadAsync(Reopen(), One));
    }

    [Fact]
    public async Task Egress_Reads_AndNothingElse()
    {
        await Reopen().CreateAsync(One, Image(100, 1), None);
        await Reopen().CreateAsync(One with { Kind = PackKind.Moved }, Image(60, 2), None);
        var keys = _azure.KeysOf("egress");
        var store = _azure.Packs(keys);
        Assert.Equal(Bytes(100, 1), await ReadAsync(store, One));
        Assert.Equal(Bytes(60, 2), await ReadAsync(store, One with { Kind = PackKind.Moved }));
        Assert.Equal(-1, await store.ReadAsync(One with { Number = 9 }, 0, new byte[1], None));
        foreach (var kind in new[] { PackKind.Birth, PackKind.Moved })
            Assert.Equal(PackCreation.Unknown, await store.CreateAsync(new PackName(kind, 1, 1), Image(1, 1), None));
        await Assert.ThrowsAsync<IOException>(async () => await store.ListAsync(None).CountAsync());
        await Assert.ThrowsAsync<IOException>(() => store.DeleteAsync(One, None));
        Assert.Null(_azure.Open(keys)["ledger"]);
        Assert.Null(_azure.Open(keys)["private"]);
    }

    private static async Task RefusedAsync(Func<Task> call) => Assert.Equal(403, (await Assert.ThrowsAsync<Azure.RequestFailedException>(call)).Status);
}
