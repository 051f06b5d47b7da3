using System.Collections.Immutable;
using System.Threading.Channels;
using Angarium.Grains.Membership;
using Angarium.Host.Cluster;
using Angarium.Spool.Documents;
using Angarium.TestKit.Logging;
using Angarium.Unit.Grains.Control;
using Microsoft.Extensions.Time.Testing;
using Orleans;
using Orleans.Runtime;

namespace Angarium.Unit.Host.Cluster;

public sealed class StandingKeeperTests : ILocalSiloDetails, IClusterMembershipService
{
    private readonly MemoryDocuments _documents = new();
    private readonly FakeTimeProvider _time = new();

    public SiloAddress SiloAddress { get; } = SiloAddress.FromParsableString("10.0.0.1:11111@5");

    string ILocalSiloDetails.Name => "one";

    string ILocalSiloDetails.ClusterId => "mail";

    string ILocalSiloDetails.DnsHostName => "one";

    SiloAddress ILocalSiloDetails.GatewayAddress => SiloAddress;

    private StillRows Rows => new(_time, StillRows.Usual);

    private StandingKeeper KeeperOf(MembershipStore store, ClusterStanding standing) => new(store, standing, standing, Rows, this, this, _time, new LogLines<StandingKeeper>());

    private readonly Channel<ClusterMembershipSnapshot> _updates = Channel.CreateUnbounded<ClusterMembershipSnapshot>();

    ClusterMembershipSnapshot IClusterMembershipService.CurrentSnapshot => throw new NotSupportedException();

    IAsyncEnumerable<ClusterMembershipSnapshot> IClusterMembershipService.MembershipUpdates => _updates.Reader.ReadAllAsync();

    ValueTask IClusterMembershipService.Refresh(MembershipVersion minimumVersion, CancellationToken cancellationToken) => throw new NotSupportedException();

    private readonly List<string> _killed = [];

    Task<bool> IClusterMembershipService.TryKill(SiloAddress siloAddress)
    {
        _killed.Add(siloAddress.ToParsableString());
        return Task.FromResult(true);
    }

    /// <summary>Only what was read can be put back: what another silo wrote and told Orleans of is read at once.</summary>
    [Fact]
    public async Task Keeper_WhenOrleansHeardOfANewerVersion_ReadsIt()
    {
        var store = new MembershipStore(_documents, "mail", mayWrite: true, _time, new LogLines<MembershipStore>());
        var standing = new ClusterStanding(_time);
        using var keeper = KeeperOf(store, standing);
        await store.InitializeAsync(TimeSpan.Zero);
        var seen = new TaskCompletionSource<int>();
        store.Seen += (document, _) => seen.TrySetResult(document.Version);
        await new MembershipStore(_documents, "mail", mayWrite: true, _time, new LogLines<MembershipStore>())
            .ChangeAsync(document => document.With(MembershipRow.From(new MembershipEntry { SiloAddress = SiloAddress }, 1)));
        await keeper.StartAsync(CancellationToken.None);
        foreach (var version in (int[])[0, 1])
            await _updates.Writer.WriteAsync(new ClusterMembershipSnapshot(ImmutableDictionary<SiloAddress, ClusterMember>.Empty, new MembershipVersion(version)));
        Assert.Equal(1, await seen.Task.WaitAsync(TimeSpan.FromSeconds(20)));
        await keeper.StopAsync(CancellationToken.None);
    }

    [Fact]
    public async Task Keeper_WhenNobodyElseReads_ReadsEveryThreeSeconds()
    {
        var store = new MembershipStore(_documents, "mail", mayWrite: true, _time, new LogLines<MembershipStore>());
        var standing = new ClusterStanding(_time);
        using var keeper = KeeperOf(store, standing);
        await store.InitializeAsync(TimeSpan.Zero);
        await store.ChangeAsync(document => document.With(MembershipRow.From(new MembershipEntry { SiloAddress = SiloAddress, Status = SiloStatus.Active }, 1)));
        Assert.True(standing.IsConfirmed);

        var reads = 0;
        store.Seen += (_, _) => reads++;
        for (var second = 1; second <= 30; second++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await keeper.LookAsync();
            Assert.True(standing.IsConfirmed);
        }

        Assert.Equal(10, reads);
        _time.Advance(TimeSpan.FromSeconds(2));
        await store.ReadAsync();
        _time.Advance(TimeSpan.FromSeconds(2));
        await keeper.LookAsync();
        Assert.Equal(11, reads);
    }

    [Fact]
    public async Task Keeper_WhenARowStandsStillWhileItsOwnMoves_DeclaresItDead()
    {
        var store = new MembershipStore(_documents, "mail", mayWrite: true, _time, new LogLines<MembershipStore>());
        var standing = new ClusterStanding(_time);
        using var keeper = KeeperOf(store, standing);
        await store.InitializeAsync(TimeSpan.Zero);
        var other = SiloAddress.FromParsableString("10.0.0.2:11111@5");
        await store.ChangeAsync(document => document.With(MembershipRow.From(new MembershipEntry { SiloAddress = other, Status = SiloStatus.Active }, 1)));
        for (var at = 0; at <= 130; at += 5)
        {
            _time.Advance(TimeSpan.FromSeconds(5));
            await store.ChangeAsync(document => document.With(MembershipRow.From(new MembershipEntry { SiloAddress = SiloAddress, Status = SiloStatus.Active, IAmAliveTime = _time.GetUtcNow().UtcDateTime }, 1)));
            if (at <= 110) Assert.Empty(_killed);
        }

        Assert.Equal(other.ToParsableString(), _killed.Distinct().Single());
    }

    [Fact]
    public async Task Keeper_WhenTheStoreFails_SaysSoOnceAndGoesOn()
    {
        var failing = new FailingDocuments();
        var log = new LogLines<StandingKeeper>();
        var standing = new ClusterStanding(_time);
        using var keeper = new StandingKeeper(new MembershipStore(failing, "mail", mayWrite: true, _time, new LogLines<MembershipStore>()), standing, standing, Rows, this, this, _time, log);
        for (var i = 0; i < 5; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(3));
            await keeper.LookAsync();
        }

        Assert.Equal(5, failing.Reads);
        Assert.Single(log.All);
    }

    [Fact]
    public void Keeper_WhenTheGrainsAskAnotherStanding_DoesNotStart()
    {
        var store = new MembershipStore(_documents, "mail", mayWrite: true, _time, new LogLines<MembershipStore>());
        Assert.Throws<InvalidOperationException>(() => new StandingKeeper(store, new ClusterStanding(_time), new SoleStanding(), Rows, this, this, _time, new LogLines<StandingKeeper>()));
    }

    private sealed class FailingDocuments : IDocumentStore
    {
        public int Reads { get; private set; }

        public Task<Document?> ReadAsync(string name, CancellationToken cancellationToken)
        {
            Reads++;
            throw new IOException("down");
        }

        public Task<string?> WriteAsync(string name, ReadOnlyMemory<byte> content, string? tag, CancellationToken cancellationToken) => throw new IOException("down");

        public Task DeleteAsync(string name, CancellationToken cancellationToken) => throw new IOException("down");

        public Task<IReadOnlyList<string>> ListAsync(string prefix, CancellationToken cancellationToken) => throw new IOException("down");
    }
}
