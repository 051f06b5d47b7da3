using System.Diagnostics;
using Angarium.Mail;
using Angarium.Spool;
using Angarium.Spool.Azure;
using Angarium.Spool.Files;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;
using Angarium.Spool.Time;
using Angarium.TestKit.Servers;
using Angarium.TestKit.Storage;
using Azure.Storage.Blobs.Specialized;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Contract.Blobs;

/// <summary>All stores of a process together, as the host opens them for its roles.</summary>
public sealed class AzureStoresTests : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly SpoolOptions Options = new() { MinFree = "1" };
    private readonly string _data = Path.Combine(Path.GetTempPath(), "angarium-test-" + Guid.NewGuid().ToString("n"));
    private AzureStoresUnderTest _azure = null!;

    public async ValueTask InitializeAsync() => _azure = await AzureStoresUnderTest.CreateAsync();

    public async ValueTask DisposeAsync()
    {
        await _azure.DisposeAsync();
        if (Directory.Exists(_data)) Directory.Delete(_data, recursive: true);
    }

    [Fact]
    public async Task Roles_TogetherOverOneStore_PassAMessageOn()
    {
        await using var grains = await OpenAsync(_azure.Options, StoreRights.All);
        await using var ingress = await OpenAsync(_azure.KeysOf("ingress"), StoreRights.Create | StoreRights.Cluster);
        await using var egress = await OpenAsync(_azure.KeysOf("egress"), StoreRights.ReadPacks | StoreRights.Cluster);
        await using var api = await OpenAsync(_azure.KeysOf("api"), StoreRights.ReadLedger | StoreRights.Cluster);
        foreach (var stores in new RelayStores[] { grains, ingress, egress, api })
        {
            Assert.True(stores.Clock.IsSettled);
            Assert.InRange((stores.Clock.Now - grains.Clock.Now).TotalSeconds, -2, 2);
        }

        var content = new byte[3_000_001];
        new Random(1).NextBytes(content);
        using var writing = ingress.Scratch.TryCreate()!;
        Assert.True(await writing.AppendAsync(content, None));
        using var scratch = writing.Complete();
        var large = Mails.To("", "a@one.example") with { Scratch = scratch };
        var small = Mails.To("small\r\n", "b@two.example");
        var receipts = await Task.WhenAll(ingress.Writer.CommitAsync(large, None), ingress.Writer.CommitAsync(small, None));
        Assert.All(receipts, r => Assert.Equal(CommitStatus.Committed, r.Status));
        foreach (var (message, receipt) in new[] { (large with { Content = content }, receipts[0]), (small, receipts[1]) })
        {
            var name = PackName.Birth(receipt.Id.First.PackId);
            var row = Assert.Single((await egress.Reader.ReadTocAsync(name, None)).Value!.Entries);
            using var entry = (await egress.Reader.ReadEntryAsync(new EntryPlace(name, row.Offset, row.Length), None)).Value!;
            Assert.Equal(Mails.Sent(message, receipt.Id), await Mails.ContentAsync(entry));
        }

        var record = new LedgerRecord { Key = receipts[1].Id.First, Kind = LedgerKind.Delivered, Time = grains.Clock.Now };
        await using (var ledger = grains.CreateLedger(null)) await ledger.AppendAsync([record]);
        Assert.Equal([(record.Key, record)], await new LedgerTrace(api.LedgerStore).FindAsync(new HashSet<RecipientKey> { record.Key }, None).ToListAsync());
        Assert.True(Assert.Single(await api.LedgerStore.ListAsync(None).ToListAsync()).Sealed);
        Assert.Equal(2, await grains.Packs.ListAsync(None).CountAsync());
    }

    [Fact]
    public async Task Roles_InOneProcess_HaveWhatEachNeedsAndNoMore()
    {
        var keys = _azure.KeysOf("ingress,egress,api");
        Assert.Equal(["cluster", "ledger", "moved", "spool"], keys.Containers.Keys.Order());
        await using var both = await OpenAsync(keys, StoreRights.Create | StoreRights.ReadPacks | StoreRights.ReadLedger | StoreRights.Cluster);
        var receipt = await both.Writer.CommitAsync(Mails.To("x\r\n", "a@one.example"), None);
        Assert.Equal(CommitStatus.Committed, receipt.Status);
        Assert.Single((await both.Reader.ReadTocAsync(PackName.Birth(receipt.Id.First.PackId), None)).Value!.Entries);
        var name = PackName.Birth(receipt.Id.First.PackId);
        await Assert.ThrowsAsync<IOException>(() => _azure.Packs(keys).DeleteAsync(name, None));
    }

    [Fact]
    public async Task Members_ThatARoleHasNoRightTo_Throw()
    {
        await using var ingress = await OpenAsync(_azure.KeysOf("ingress"), StoreRights.Create | StoreRights.Cluster);
        foreach (var use in new Action[] { () => _ = ingress.Packs, () => _ = ingress.Reader, () => _ = ingress.LedgerStore, () => _ = ingress.Mover, () => ingress.CreateLedger(null) })
            Assert.Contains("grains", Assert.Throws<InvalidOperationException>(use).Message);
        await using var egress = await OpenAsync(_azure.KeysOf("egress"), StoreRights.ReadPacks | StoreRights.Cluster);
        foreach (var use in new Action[] { () => _ = egress.Writer, () => _ = egress.Scratch, () => _ = egress.LedgerStore })
            Assert.Throws<InvalidOperationException>(use);
    }

    [Fact]
    public async Task Open_WithAllRights_MakesTheContainers_EvenWhenSeveralDo()
    {
        var options = _azure.Options with { Prefix = _azure.Options.Prefix + "-new" };
        var opened = await Task.WhenAll(Enumerable.Range(0, 3).Select(i => AzureStores.OpenAsync(options, StoreRights.All, _data + i, Options, NullLoggerFactory.Instance, TimeProvider.System, None)));
        for (var i = 0; i < opened.Length; i++)
        {
            Assert.Empty(await opened[i].Documents.ListAsync("", None));
            await opened[i].DisposeAsync();
            Directory.Delete(_data + i, recursive: true);
        }
    }

    [Fact]
    public async Task Open_AsAClientBeforeTheSilos_IsNoFailure()
    {
        var none = _azure.Options with { Prefix = _azure.Options.Prefix + "-none" };
        await using var ingress = await OpenAsync(none, StoreRights.Create | StoreRights.Cluster);
        Assert.True(ingress.Clock.IsSettled);
        await Assert.ThrowsAsync<IOException>(() => ingress.Documents.ReadAsync("cluster/membership", None));
    }

    [Fact]
    public async Task Open_WithWhatIsWrong_SaysWhichSettingInOneLineWithoutSecrets()
    {
        var right = _azure.KeysOf("egress");
        var expired = _azure.KeysOf("ingress", TimeSpan.FromMinutes(-1));
        var key = _azure.Options.Account;
        var otherKey = key.Replace("Eby8vdM0", "AAAAAAAA", StringComparison.Ordinal);
        (AzureStoreOptions Options, StoreRights Rights, string Names)[] wrong =
        [
            (_azure.Options with { Account = otherKey }, StoreRights.All, "Spool:Azure"),
            (_azure.Options with { Account = "AccountName:x;AccountKey=secretsecret" }, StoreRights.All, "Spool:Azure"),
            (_azure.Options with { Account = "" }, StoreRights.All, "Spool:Azure"),
            (_azure.Options with { Account = "http://127.0.0.1:1/x" }, StoreRights.All, "Spool:Azure"),
            (_azure.Options with { Prefix = "A--b" }, StoreRights.All, "Spool:Container"),
            (expired, StoreRights.Create | StoreRights.Cluster, "Spool:Containers:"),
            (right, StoreRights.Create | StoreRights.Cluster | StoreRights.ReadLedger, "Spool:Containers:ledger"),
            (With("spool", right.Containers["spool"][..^8] + "AAAAA%3D"), StoreRights.ReadPacks, "Spool:Containers:spool"),
            (With("spool", _azure.KeysOf("ingress").Containers["spool"]), StoreRights.ReadPacks, "Spool:Containers:spool"),
            (With("spool", "https://127.0.0.1/no-sas"), StoreRights.ReadPacks, "Spool:Containers:spool"),
            (With("other", right.Containers["spool"]), StoreRights.ReadPacks, "Spool:Containers:other"),
        ];
        foreach (var (options, rights, names) in wrong)
        {
            var refused = await Assert.ThrowsAsync<StoreUnavailableException>(() => OpenAsync(options, rights));
            Assert.StartsWith(names, refused.Message);
            Assert.DoesNotContain('\n', refused.Message);
            foreach (var secret in new[] { "sig=", "secretsecret", "AAAAA", "uSRZ6IFsu" }) Assert.DoesNotContain(secret, refused.ToString());
        }

        AzureStoreOptions With(string name, string address) => right with { Containers = new Dictionary<string, string>(right.Containers) { [name] = address } };
    }

    [Fact]
    public async Task Open_WithAnAccountSas_Works()
    {
        var account = new Azure.Storage.Blobs.BlobServiceClient(_azure.Options.Account);
        var sas = account.GenerateAccountSasUri(Azure.Storage.Sas.AccountSasPermissions.All, DateTimeOffset.UtcNow.AddHours(1), Azure.Storage.Sas.AccountSasResourceTypes.All);
        await using var stores = await OpenAsync(_azure.Options with { Account = sas.AbsoluteUri }, StoreRights.All);
        Assert.NotNull(await stores.Documents.WriteAsync("a", default, null, None));
    }

    [Fact]
    public async Task ACommit_IsOneRequest_AndAnAppendIsOne()
    {
        var spy = new RequestSpy();
        var containers = _azure.Open(_azure.Options, spy);
        var packs = new AzurePackStore(containers["spool"], containers["moved"], TimeProvider.System, NullLogger.Instance);
        await using (var writer = new PackWriter(packs, new PackCache(0), new WallClock(), TimeProvider.System, TimeSpan.Zero, NullLogger.Instance))
            await writer.CommitAsync(Mails.To("x", "a@one.example", "b@two.example"), None);
        Assert.Equal(["PUT 201"], spy.Take());
        var ledger = new LedgerWriter(
            new AzureLedgerStore(containers["ledger"]!, NullLogger.Instance), new AzureDocumentStore(containers["ledger"], null, null), new WallClock(), TimeProvider.System, NullLogger.Instance);
        var record = new LedgerRecord { Key = new RecipientKey(1, 2, 3), Kind = LedgerKind.Delivered, Time = new StoreTime(5) };
        await ledger.AppendAsync([record]);

        // Entered among the writers, the stream begun, the records.
        Assert.Equal(["GET 404", "PUT 201", "PUT 201", "PUT 201"], spy.Take());
        await ledger.AppendAsync([record]);
        Assert.Equal(["PUT 201"], spy.Take());
        await ledger.DisposeAsync();

        // Sealed, and entered as ended.
        Assert.Equal(["HEAD 200", "GET 206", "PUT 201", "PUT 200", "GET 200", "PUT 201"], spy.Take());
    }

    /// <summary>A store that does not answer for a while: by default packs begin 25 ms apart, and four of them are on their way at a time. Who sends one message after the other waits for no time at all.</summary>
    [Fact]
    public async Task Commits_ByDefault_AreSpacedUnderLoadAlone_AndSeveralAreInFlight()
    {
        using var azurite = await Azurite.StartAsync();
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using var stores = await AzureStores.OpenAsync(
            _azure.Options with { Account = azurite.ConnectionString }, StoreRights.All, _data, Options, NullLoggerFactory.Instance, time, None);
        var commits = new List<Task<CommitReceipt>>();
        Process.Start("kill", ["-STOP", $"{azurite.Id}"]).WaitForExit();
        Begin();
        for (var packs = 0; packs < 3; packs++)
        {
            Begin();
            time.Advance(TimeSpan.FromMilliseconds(24));
            Begin();
            time.Advance(TimeSpan.FromMilliseconds(1));
        }

        for (var gathered = 0; gathered < 2; gathered++)
        {
            Begin();
            time.Advance(TimeSpan.FromMilliseconds(25));
        }

        Process.Start("kill", ["-CONT", $"{azurite.Id}"]).WaitForExit();
        var receipts = await Task.WhenAll(commits).WaitAsync(TimeSpan.FromSeconds(60));
        Assert.All(receipts, r => Assert.Equal(CommitStatus.Committed, r.Status));
        Assert.Equal([1, 2, 2, 2, 2], receipts.GroupBy(r => r.Id.First.Pack).OrderBy(g => g.Key).Select(g => g.Count()));

        time.Advance(TimeSpan.FromMilliseconds(25));
        try
        {
            for (var i = 0; i < 5; i++) Assert.Equal(CommitStatus.Committed, (await CommitAsync().WaitAsync(TimeSpan.FromSeconds(30))).Status);
        }
        finally
        {
            // What waits all the same would keep the writer from its end.
            time.Advance(TimeSpan.FromSeconds(1));
        }

        void Begin() => commits.Add(CommitAsync());

        Task<CommitReceipt> CommitAsync() => stores.Writer.CommitAsync(Mails.To("x", "a@one.example"), None);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AStoreThatIsDownOrSilent_IsUnknownToWritersAndAFailureToReaders(bool isDown)
    {
        // Connections are taken by the system, and nobody ever reads from them; or nobody listens.
        using var silent = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        silent.Start();
        var port = ((System.Net.IPEndPoint)silent.LocalEndpoint).Port;
        if (isDown) silent.Stop();
        var options = _azure.Options with { Account = System.Text.RegularExpressions.Regex.Replace(_azure.Options.Account, "127.0.0.1:[0-9]+", $"127.0.0.1:{port}") };
        using var patience = new CancellationTokenSource(isDown ? TimeSpan.FromSeconds(60) : TimeSpan.FromMilliseconds(500));
        var name = new PackName(PackKind.Birth, 1, 1);
        Assert.Equal(PackCreation.Unknown, await _azure.Packs(options).CreateAsync(name, new PackImage(new byte[10], null), patience.Token));
        if (!isDown) return;
        await FailsAsync(async () => await _azure.Packs(options).ReadAsync(name, 0, new byte[1], None));
        await FailsAsync(() => _azure.Documents(options).ReadAsync("a", None));
        await FailsAsync(() => _azure.Documents(options).WriteAsync("a", default, null, None));
        await FailsAsync(() => _azure.Ledger(options).ReadAsync(new LedgerStream(1, 1), 0, 100, None));
        await FailsAsync(() => _azure.Ledger(options).AppendAsync(new LedgerStream(1, 1), 0, new byte[32], None));

        static async Task FailsAsync(Func<Task> call) => Assert.Contains("cannot be reached", (await Assert.ThrowsAsync<IOException>(call)).Message);
    }

    private Task<AzureStores> OpenAsync(AzureStoreOptions options, StoreRights rights) =>
        AzureStores.OpenAsync(options, rights, _data, Options, NullLoggerFactory.Instance, TimeProvider.System, None);

    private sealed class WallClock : IStoreClock
    {
        public StoreTime Now => StoreTime.FromDateTimeOffset(DateTimeOffset.UtcNow);

        public bool IsSettled => true;
    }
}
