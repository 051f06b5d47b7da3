using System.Net;
using Angarium.Host.Cluster;
using Angarium.Spool.Documents;
using Angarium.TestKit.Logging;
using Angarium.TestKit.Time;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Orleans.Configuration;

namespace Angarium.Integration.Cluster;

/// <summary>What Orleans asks of a membership table (the cases of its own suite), and what ours promises beyond: over any provider of documents.</summary>
public abstract class MembershipTableContract
{
    private const string ClusterId = "contract";
    private static int s_generation;

    protected abstract IDocumentStore Documents { get; }

    [Fact]
    public async Task Gateways_OfManySilos_AreTheActiveOnesWithAPort()
    {
        var table = await TableAsync();
        var rows = Enumerable.Range(0, 10).Select(_ => Entry()).ToList();
        (rows[3].Status, rows[3].ProxyPort) = (SiloStatus.Active, 0);
        rows[5].Status = rows[9].Status = SiloStatus.Active;
        foreach (var row in rows) Assert.True(await table.InsertRowAsync(row, (await table.ReadAllAsync()).Version.Next()));

        var gateways = await new DocumentGatewayListProvider(Store(mayWrite: false), TimeProvider.System).GetGateways();
        Assert.Equal(
            new[] { rows[5], rows[9] }.Select(row => SiloAddress.New(row.SiloAddress.Endpoint.Address, row.ProxyPort, row.SiloAddress.Generation).ToGatewayUri()).Order(UriOrder),
            gateways.Order(UriOrder));
    }

    [Fact]
    public async Task Gateways_WhenThereAreNone_Throws()
    {
        var time = new FakeTimeProvider();
        var provider = new DocumentGatewayListProvider(Store(mayWrite: false), time);
        await Assert.ThrowsAsync<IOException>(provider.GetGateways);
        Assert.Null(await Documents.ReadAsync(MembershipDocument.Name, CancellationToken.None));
        var table = await TableAsync();
        Assert.True(await table.InsertRowAsync(Entry(), (await table.ReadAllAsync()).Version.Next()));
        await Assert.ThrowsAsync<IOException>(() => PassAsync(provider.GetGateways(), time));
    }

    [Fact]
    public async Task Gateways_WhenSilosStartAnew_AreWaitedFor()
    {
        var time = new WatchedTime();
        var provider = new DocumentGatewayListProvider(Store(mayWrite: false), time);
        var table = await TableAsync();
        var row = Entry();
        Assert.True(await table.InsertRowAsync(row, (await table.ReadAllAsync()).Version.Next()));
        var asked = provider.GetGateways();
        await time.MadeAsync(TimeSpan.FromMilliseconds(500));
        row.Status = SiloStatus.Active;
        var before = await table.ReadAllAsync();
        Assert.True(await table.UpdateRowAsync(row, before.Members.Single().Item2, before.Version.Next()));
        Assert.Single(await PassAsync(asked, time));
    }

    [Fact]
    public async Task ReadAll_EmptyTable_IsVersionNoughtWithAnEtag()
    {
        var data = await (await TableAsync()).ReadAllAsync();
        Assert.Empty(data.Members);
        Assert.NotNull(data.Version.VersionEtag);
        Assert.Equal(0, data.Version.Version);
    }

    [Fact]
    public async Task InsertRow_IntoAnEmptyTable_IsThere()
    {
        var table = await TableAsync();
        Assert.True(await table.InsertRowAsync(Entry(), (await table.ReadAllAsync()).Version.Next()));
        var data = await table.ReadAllAsync();
        Assert.Equal(1, data.Version.Version);
        Assert.Single(data.Members);
    }

    [Fact]
    public async Task InsertRow_OfAnOldVersionOrTwice_IsRefused()
    {
        var table = await TableAsync();
        var version = (await table.ReadAllAsync()).Version.Next();
        var entry = Entry();
        Assert.True(await table.InsertRowAsync(entry, version));
        Assert.False(await table.InsertRowAsync(entry, version));
        Assert.False(await table.InsertRowAsync(Entry(), version));
        Assert.False(await table.InsertRowAsync(entry, (await table.ReadAllAsync()).Version.Next()));
        Assert.False(await table.InsertRowAsync(Entry(), new TableVersion(2, version.VersionEtag)));
        Assert.Single((await table.ReadAllAsync()).Members);

        var row = await table.ReadRowAsync(entry.SiloAddress);
        Assert.Equal(version.Version, row.Version.Version);
        Assert.NotEqual(version.VersionEtag, row.Version.VersionEtag);
        Assert.NotNull(Assert.Single(row.Members).Item2);
        Assert.Equal(entry.ToFullString(), row.Members[0].Item1.ToFullString());
        Assert.Empty((await table.ReadRowAsync(Entry().SiloAddress)).Members);
    }

    [Fact]
    public async Task ReadAll_AfterInsert_HasANewVersionAndEtag()
    {
        var table = await TableAsync();
        var version = (await table.ReadAllAsync()).Version.Next();
        Assert.True(await table.InsertRowAsync(Entry(), version));
        var data = await table.ReadAllAsync();
        Assert.NotEqual(version.VersionEtag, data.Version.VersionEtag);
        Assert.Equal(version.Version, data.Version.Version);
        Assert.NotNull(Assert.Single(data.Members).Item2);
    }

    [Fact]
    public async Task UpdateRow_WithTheRightEtagAndVersionOnly_Replaces()
    {
        var table = await TableAsync();
        for (var i = 1; i < 10; i++)
        {
            var entry = Entry();
            entry.SuspectTimes = [Tuple.Create(Entry().SiloAddress, Now().AddSeconds(1)), Tuple.Create(Entry().SiloAddress, Now().AddSeconds(2))];
            var old = (await table.ReadAllAsync()).Version.Next();
            Assert.True(await table.InsertRowAsync(entry, old));
            var etag = (await table.ReadAllAsync()).TryGet(entry.SiloAddress)!.Item2;
            Assert.False(await table.UpdateRowAsync(entry, etag, old));

            var version = (await table.ReadAllAsync()).Version.Next();
            Assert.False(await table.UpdateRowAsync(Entry(), etag, version));
            Assert.False(await table.UpdateRowAsync(entry, "0", version));
            entry.Status = SiloStatus.Active;
            Assert.True(await table.UpdateRowAsync(entry, etag, version));
            Assert.False(await table.UpdateRowAsync(entry, etag, version));

            var data = await table.ReadAllAsync();
            var (row, after) = data.TryGet(entry.SiloAddress)!;
            Assert.Equal(entry.ToFullString(), row.ToFullString());
            Assert.False(await table.UpdateRowAsync(entry, after, version));
            Assert.False(await table.UpdateRowAsync(entry, etag, data.Version.Next()));
            data = await table.ReadAllAsync();
            Assert.Equal(after, data.TryGet(entry.SiloAddress)!.Item2);
            Assert.Equal(version.Version, data.Version.Version);
            Assert.Equal(i, data.Members.Count);
        }
    }

    /// <summary>As in Orleans' suite, but each contender is a silo of its own.</summary>
    [Fact]
    public async Task UpdateRow_InParallel_EachIsOneVersion()
    {
        var tables = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => TableAsync()));
        var entry = Entry();
        var version = (await tables[0].ReadAllAsync()).Version.Next();
        Assert.Single(await Task.WhenAll(tables.Select(table => table.InsertRowAsync(entry, version))), inserted => inserted);

        await Task.WhenAll(tables.Skip(1).Select(async table =>
        {
            while (true)
            {
                var data = await table.ReadAllAsync();
                var (row, etag) = data.TryGet(entry.SiloAddress)!;
                if (await table.UpdateRowAsync(row, etag, data.Version.Next())) return;
            }
        })).WaitAsync(TimeSpan.FromSeconds(60));
        var last = await tables[0].ReadAllAsync();
        Assert.Equal(20, last.Version.Version);
        Assert.Single(last.Members);
    }

    [Fact]
    public async Task UpdateIAmAlive_ChangesTheTimeAlone()
    {
        var table = await TableAsync();
        var entry = Entry();
        Assert.True(await table.InsertRowAsync(entry, (await table.ReadAllAsync()).Version.Next()));
        var before = await table.ReadAllAsync();

        var time = DateTime.UtcNow.AddSeconds(5);
        await table.UpdateIAmAliveAsync(new MembershipEntry { SiloAddress = entry.SiloAddress, IAmAliveTime = time });
        await table.UpdateIAmAliveAsync(new MembershipEntry { SiloAddress = Entry().SiloAddress, IAmAliveTime = time });
        var after = await table.ReadAllAsync();
        Assert.Equal(before.Version, after.Version);
        var (row, etag) = Assert.Single(after.Members);
        Assert.Equal(time, row.IAmAliveTime);
        Assert.Equal(before.Members[0].Item2, etag);
        row.IAmAliveTime = entry.IAmAliveTime;
        Assert.Equal(entry.ToFullString(), row.ToFullString());

        // What was read before the time changed may still be written: nothing was lost of it.
        Assert.True(await table.UpdateRowAsync(entry, etag, before.Version.Next()));
    }

    [Fact]
    public async Task CleanupDefunctSiloEntries_DropsTheOldThatAreNotActive()
    {
        var table = await TableAsync();
        var young = Entry();
        Assert.True(await table.InsertRowAsync(young, (await table.ReadAllAsync()).Version.Next()));
        foreach (var status in Enum.GetValues<SiloStatus>())
        {
            var old = Entry();
            (old.Status, old.IAmAliveTime, old.StartTime) = (status, old.IAmAliveTime.AddDays(-10), old.StartTime.AddDays(-10));
            Assert.True(await table.InsertRowAsync(old, (await table.ReadAllAsync()).Version.Next()));
        }

        await table.CleanupDefunctSiloEntriesAsync(Now().AddDays(-7));
        var left = await table.ReadAllAsync();
        Assert.Equal(new[] { SiloStatus.Active, SiloStatus.Joining }.Order(), left.Members.Select(m => m.Item1.Status).Order());
        Assert.NotNull(left.TryGet(young.SiloAddress));
    }

    [Fact]
    public async Task DeleteMembershipTableEntries_OfThisClusterOnly_Deletes()
    {
        var table = await TableAsync();
        await table.DeleteMembershipTableEntriesAsync("another");
        Assert.NotNull(await Documents.ReadAsync(MembershipDocument.Name, CancellationToken.None));
        await table.DeleteMembershipTableEntriesAsync(ClusterId);
        Assert.Null(await Documents.ReadAsync(MembershipDocument.Name, CancellationToken.None));
    }

    [Fact]
    public async Task Read_WhenTheDocumentIsGone_PutsItBackFromWhatAnySiloRemembers()
    {
        var (one, two) = (await TableAsync(), await TableAsync());
        var entry = Entry();
        Assert.True(await one.InsertRowAsync(entry, (await one.ReadAllAsync()).Version.Next()));
        await Documents.DeleteAsync(MembershipDocument.Name, CancellationToken.None);

        // The second silo never saw the row; the first, which did, has the last word.
        Assert.Empty((await two.ReadAllAsync()).Members);
        Assert.NotNull((await one.ReadAllAsync()).TryGet(entry.SiloAddress));
        Assert.NotNull((await two.ReadAllAsync()).TryGet(entry.SiloAddress));
        Assert.Equal(1, (await two.ReadAllAsync()).Version.Version);
    }

    [Fact]
    public async Task Read_WhenTheDocumentWasRolledBack_PutsItRightOrRefusesIt()
    {
        var table = await TableAsync();
        var entry = Entry();
        Assert.True(await table.InsertRowAsync(entry, (await table.ReadAllAsync()).Version.Next()));
        var old = await Documents.ReadAsync(MembershipDocument.Name, CancellationToken.None);
        var (row, etag) = (await table.ReadAllAsync()).TryGet(entry.SiloAddress)!;
        row.Status = SiloStatus.Dead;
        Assert.True(await table.UpdateRowAsync(row, etag, (await table.ReadAllAsync()).Version.Next()));
        var client = Store(mayWrite: false);
        await client.ReadAsync();

        var now = await Documents.ReadAsync(MembershipDocument.Name, CancellationToken.None);
        Assert.NotNull(await Documents.WriteAsync(MembershipDocument.Name, old!.Content, now!.Tag, CancellationToken.None));
        await Assert.ThrowsAsync<IOException>(client.ReadAsync);
        Assert.Equal(SiloStatus.Dead, (await table.ReadAllAsync()).TryGet(entry.SiloAddress)!.Item1.Status);
        Assert.Equal(2, (await client.ReadAsync())!.Version);
    }

    protected static MembershipEntry Entry() => new()
    {
        SiloAddress = SiloAddress.New(IPAddress.Parse("10.1.2.3"), 12_345, Interlocked.Increment(ref s_generation)), HostName = "host", SiloName = "silo",
        Status = SiloStatus.Joining, ProxyPort = 30_000, StartTime = Now(), IAmAliveTime = Now(),
    };

    private static Comparer<Uri> UriOrder => Comparer<Uri>.Create((one, other) => string.CompareOrdinal(one.ToString(), other.ToString()));

    private static DateTime Now() => new(DateTime.UtcNow.Ticks / TimeSpan.TicksPerSecond * TimeSpan.TicksPerSecond, DateTimeKind.Utc);

    /// <summary>Lets time pass until it has ended.</summary>
    private static async Task<T> PassAsync<T>(Task<T> call, FakeTimeProvider time)
    {
        while (!call.IsCompleted)
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }

        return await call;
    }

    /// <summary>Another silo's table.</summary>
    private async Task<IMembershipTable> TableAsync()
    {
        var options = new ClusterMembershipOptions { TableRefreshTimeout = -(ClusterTuning.PatienceWithNothing(TimeSpan.Zero)) };
        var table = new DocumentMembershipTable(Store(mayWrite: true), Options.Create(new ClusterOptions { ClusterId = ClusterId }), Options.Create(options));
        await ((IMembershipTable)table).InitializeMembershipTableAsync(true);
        return table;
    }

    private MembershipStore Store(bool mayWrite) => new(Documents, ClusterId, mayWrite, TimeProvider.System, new LogLines<MembershipStore>());
}
