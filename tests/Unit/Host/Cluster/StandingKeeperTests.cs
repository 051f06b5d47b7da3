using Angarium.Grains.Membership;
using Angarium.Host.Cluster;
using Angarium.Spool.Documents;
using Angarium.TestKit.Logging;
using Angarium.Unit.Grains.Control;
using Microsoft.Extensions.Time.Testing;
using Orleans;
using Orleans.Runtime;

namespace Angarium.Unit.Host.Cluster;

public sealed class StandingKeeperTests : ILocalSiloDetails
{
    private readonly MemoryDocuments _documents = new();
    private readonly FakeTimeProvider _time = new();

    public SiloAddress SiloAddress { get; } = SiloAddress.FromParsableString("10.0.0.1:11111@5");

    string ILocalSiloDetails.Name => "one";

    string ILocalSiloDetails.ClusterId => "mail";

    string ILocalSiloDetails.DnsHostName => "one";

    SiloAddress ILocalSiloDetails.GatewayAddress => SiloAddress;

    [Fact]
    public async Task Keeper_WhenNobodyElseReads_ReadsEveryThreeSeconds()
    {
        var store = new MembershipStore(_documents, "mail", mayWrite: true, _time, new LogLines<MembershipStore>());
        var standing = new ClusterStanding(_time);
        using var keeper = new StandingKeeper(store, standing, standing, this, _time, new LogLines<StandingKeeper>());
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
    public async Task Keeper_WhenTheStoreFails_SaysSoOnceAndGoesOn()
    {
        var failing = new FailingDocuments();
        var log = new LogLines<StandingKeeper>();
        var standing = new ClusterStanding(_time);
        using var keeper = new StandingKeeper(new MembershipStore(failing, "mail", mayWrite: true, _time, new LogLines<MembershipStore>()), standing, standing, this, _time, log);
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
        Assert.Throws<InvalidOperationException>(() => new StandingKeeper(store, new ClusterStanding(_time), new SoleStanding(), this, _time, new LogLines<StandingKeeper>()));
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
