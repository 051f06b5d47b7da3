using System.Collections.Concurrent;
using System.Diagnostics;
using Angarium.Contracts.Admin;
using Angarium.Host.Cluster;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.Metadata;

namespace Angarium.Integration.Cluster;

/// <summary>A cluster of several silos: kills, a document that is lost or rolled back, and starts at the same moment. A silo that is cut off from network and store is to the others one that was killed.</summary>
public sealed class When_silos_come_and_go(ITestOutputHelper output) : IAsyncLifetime
{
    private const int Keys = 60;
    private static readonly TimeSpan s_eviction = TimeSpan.FromSeconds(15);

    private readonly TestCluster _cluster = new();
    private readonly string _run = Guid.NewGuid().ToString("N")[..8];

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    [Fact]
    public async Task Should_form_one_cluster_when_many_start_at_once_on_nothing()
    {
        var silos = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => _cluster.SiloAsync()));
        await TestCluster.UntilAsync(async () => (await ActiveAsync()).Count == 4, TimeSpan.FromSeconds(15), "four active silos");
        var hosts = await silos[3].Grains.GetGrain<IManagementGrain>(0).GetHosts(onlyActive: true);
        Assert.Equal(4, hosts.Count);
        await TestCluster.UntilAsync(() => silos.All(silo => silo.Standing.IsConfirmed), TimeSpan.FromSeconds(10), "each silo's standing");
    }

    /// <summary>Two votes are wanted, and there is one other: Orleans lowers the number to the silos there are.</summary>
    [Fact]
    public async Task Should_evict_the_other_of_two_when_it_is_killed()
    {
        await _cluster.WithDocumentAsync();
        var (one, two) = (await _cluster.SiloAsync(), await _cluster.SiloAsync());
        var client = _cluster.Add(await TestClient.StartAsync(_cluster.Documents, _cluster.Id, "api")).Grains;
        Assert.Equal(2, (await PlacesAsync(client)).Values.Distinct().Count());
        await TestCluster.UntilAsync(() => two.Standing.IsConfirmed, TimeSpan.FromSeconds(10), "the second silo's standing");

        var killed = Stopwatch.StartNew();
        two.Cut();
        await TestCluster.UntilAsync(async () => (await StatusAsync(two)) == SiloStatus.Dead, s_eviction, "the dead row");
        output.WriteLine($"evicted after {killed.Elapsed.TotalSeconds:0.0} s");
        Assert.All((await PlacesAsync(client)).Values, place => Assert.Equal(one.Name, place));
        output.WriteLine($"all grains answered after {killed.Elapsed.TotalSeconds:0.0} s");

        // Awake again it learns that it is dead, grants nothing, and ends itself.
        two.Mend();
        await two.Ended.Task.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.False(two.Standing.IsConfirmed);
    }

    /// <summary>Orleans asks it, and it answers; what it owns would be nobody's for as long. A quarter of the usual time.</summary>
    [Fact]
    public async Task Should_evict_a_silo_that_answers_and_has_lost_the_store()
    {
        await _cluster.WithDocumentAsync();
        Task<TestSilo> StartAsync() => TestSilo.StartAsync(_cluster.Documents, _cluster.Id, silo => silo.Services.Replace(ServiceDescriptor.Singleton(new StillRows(TimeProvider.System, StillRows.Usual / 4))));
        var (one, two, three) = (_cluster.Add(await StartAsync()), _cluster.Add(await StartAsync()), _cluster.Add(await StartAsync()));
        var client = _cluster.Add(await TestClient.StartAsync(_cluster.Documents, _cluster.Id, "api")).Grains;
        await TestCluster.UntilAsync(() => two.Standing.IsConfirmed, TimeSpan.FromSeconds(10), "the second silo's standing");
        Assert.Contains(two.Name, (await PlacesAsync(client)).Values);

        var cut = Stopwatch.StartNew();
        two.CutFromStore();
        await TestCluster.UntilAsync(() => !two.Standing.IsConfirmed, TimeSpan.FromSeconds(20), "the end of the second silo's standing");
        // What it owns waits for the others.
        Assert.Contains(two.Name, (await PlacesAsync(client)).Values);
        await TestCluster.UntilAsync(async () => (await StatusAsync(two)) == SiloStatus.Dead, TimeSpan.FromSeconds(60), "the dead row");
        output.WriteLine($"declared dead after {cut.Elapsed.TotalSeconds:0.0} s");
        // A row may be as old as what it is written in when the cut comes.
        Assert.True(cut.Elapsed > TimeSpan.FromSeconds(20));
        await TestCluster.UntilAsync(async () => !(await PlacesAsync(client)).ContainsValue(two.Name), TimeSpan.FromSeconds(20), "calls that others answer");

        // When it reaches the store again it learns of it, and ends.
        two.Mend();
        var mended = Stopwatch.StartNew();
        await two.Ended.Task.WaitAsync(TimeSpan.FromSeconds(90));
        output.WriteLine($"ended {mended.Elapsed.TotalSeconds:0.0} s after it reached the store again");
        Assert.False(two.Standing.IsConfirmed);
        Assert.True(one.Standing.IsConfirmed && three.Standing.IsConfirmed);
        Assert.Equal(Names(one, three), await ActiveAsync());
    }

    /// <summary>Orleans waits for an hour of the wall, and would wait an hour longer with its next probe, its next look at the table and its next sign of life.</summary>
    [Fact]
    public async Task Should_evict_a_killed_silo_although_the_others_clock_was_set_back_an_hour()
    {
        await _cluster.WithDocumentAsync();
        var clock = new SteppedTime();
        var one = _cluster.Add(await TestSilo.StartAsync(_cluster.Documents, _cluster.Id, silo => silo.Services.Replace(ServiceDescriptor.Singleton<TimeProvider>(clock))));
        var two = await _cluster.SiloAsync();
        await TestCluster.UntilAsync(() => one.Standing.IsConfirmed && two.Standing.IsConfirmed, TimeSpan.FromSeconds(10), "the silos' standing");

        clock.Step(TimeSpan.FromHours(-1));
        var before = (await DocumentAsync())!.Find(one.Address)!.Alive;
        await TestCluster.UntilAsync(async () => (await DocumentAsync())!.Find(one.Address)!.Alive > before, s_eviction, "a sign of life");
        two.Cut();
        await TestCluster.UntilAsync(async () => (await StatusAsync(two)) == SiloStatus.Dead, s_eviction, "the dead row");
    }

    /// <summary>Without the document nobody would notice the killed silo, and a new one would begin a second cluster.</summary>
    [Fact]
    public async Task Should_heal_when_the_document_is_deleted_as_a_silo_is_killed_and_others_start()
    {
        await _cluster.WithDocumentAsync();
        var one = await _cluster.SiloAsync();
        var two = await _cluster.SiloAsync();
        var three = await _cluster.SiloAsync();
        var client = _cluster.Add(await TestClient.StartAsync(_cluster.Documents, _cluster.Id, "api")).Grains;
        await PlacesAsync(client);
        var version = (await DocumentAsync())!.Version;
        await TestCluster.UntilAsync(() => one.Version >= version && two.Version >= version, TimeSpan.FromSeconds(10), "the newest version in each silo");
        using var ending = new CancellationTokenSource();
        var gap = CallAsync(client, ending.Token);

        await _cluster.Documents.DeleteAsync(MembershipDocument.Name, CancellationToken.None);
        three.Cut();
        var began = Stopwatch.StartNew();
        var fourth = _cluster.SiloAsync();
        var late = TestClient.StartAsync(_cluster.Documents, _cluster.Id, "api");
        var four = await fourth;
        var second = _cluster.Add(await late).Grains;
        output.WriteLine($"new silo and client started after {began.Elapsed.TotalSeconds:0.0} s");

        await TestCluster.UntilAsync(async () => (await StatusAsync(three)) == SiloStatus.Dead, s_eviction, "the dead row");
        await TestCluster.UntilAsync(async () => (await ActiveAsync()).SequenceEqual(Names(one, two, four)), TimeSpan.FromSeconds(10), "one cluster of three");
        var (a, b) = (await PlacesAsync(client), await PlacesAsync(second));
        Assert.Equal(a, b);
        Assert.All(a.Values, place => Assert.NotEqual(three.Name, place));
        foreach (var silo in (TestSilo[])[one, two, four])
            Assert.Equal(a, await PlacesAsync(silo.Grains));

        await ending.CancelAsync();
        output.WriteLine($"worst gap of calls {(await gap).TotalSeconds:0.0} s");
        Assert.InRange((await gap).TotalSeconds, 0, 20);
    }

    [Fact]
    public async Task Should_put_a_document_right_that_was_rolled_back()
    {
        await _cluster.WithDocumentAsync();
        var one = await _cluster.SiloAsync();
        var backup = (await _cluster.Documents.ReadAsync(MembershipDocument.Name, CancellationToken.None))!;
        var two = await _cluster.SiloAsync();
        var client = _cluster.Add(await TestClient.StartAsync(_cluster.Documents, _cluster.Id, "api")).Grains;
        var places = await PlacesAsync(client);
        Assert.Equal(2, places.Values.Distinct().Count());

        await TestCluster.UntilAsync(async () =>
        {
            var now = await _cluster.Documents.ReadAsync(MembershipDocument.Name, CancellationToken.None);
            return await _cluster.Documents.WriteAsync(MembershipDocument.Name, backup.Content, now!.Tag, CancellationToken.None) is not null;
        }, TimeSpan.FromSeconds(10), "the restored backup");
        await TestCluster.UntilAsync(async () => (await ActiveAsync()).SequenceEqual(Names(one, two)), TimeSpan.FromSeconds(15), "both silos in the document");
        Assert.Equal(places, await PlacesAsync(client));
        Assert.True(one.Standing.IsConfirmed && two.Standing.IsConfirmed);
        Assert.False(one.Ended.Task.IsCompleted || two.Ended.Task.IsCompleted);
    }

    /// <summary>The silos start seconds apart, and domains come all the while: none of the silos has most of them.</summary>
    [Fact]
    public async Task Should_spread_grains_over_silos_that_start_apart()
    {
        await _cluster.WithDocumentAsync();
        var one = await _cluster.SiloAsync();
        var client = _cluster.Add(await TestClient.StartAsync(_cluster.Documents, _cluster.Id, "api")).Grains;
        await PlacesAsync(client, 0, 100);
        var two = await _cluster.SiloAsync();
        await KnownAsync(one, two);
        await PlacesAsync(client, 100, 200);
        var three = await _cluster.SiloAsync();
        await KnownAsync(one, two, three);

        var places = await PlacesAsync(client, 0, 1_000);
        foreach (var silo in (TestSilo[])[one, two, three]) output.WriteLine($"{silo.Name}: {places.Values.Count(place => place == silo.Name)}");
        foreach (var silo in (TestSilo[])[one, two, three]) Assert.InRange(places.Values.Count(place => place == silo.Name), 150, 520);
    }

    [Fact]
    public async Task Should_reject_clients_calls_while_memory_is_short()
    {
        await _cluster.WithDocumentAsync();
        var silo = await _cluster.SiloAsync();
        var grain = _cluster.Add(await TestClient.StartAsync(_cluster.Documents, _cluster.Id, "api")).Grains.GetGrain<IDomainQueueAdmin>($"{_run}.example");
        Assert.Null(await Record.ExceptionAsync(() => grain.Show(1)));

        // Orleans looks at the figures once a second.
        var limits = silo.Services.GetRequiredService<IOptions<LoadSheddingOptions>>().Value;
        limits.MemoryThreshold = 0;
        await TestCluster.UntilAsync(async () => await Record.ExceptionAsync(() => grain.Show(1)) is GatewayTooBusyException, TimeSpan.FromSeconds(15), "a rejection");
        limits.MemoryThreshold = ClusterTuning.MemoryThreshold;
        await TestCluster.UntilAsync(async () => await Record.ExceptionAsync(() => grain.Show(1)) is null, TimeSpan.FromSeconds(15), "an answer");
    }

    private static IEnumerable<string> Names(params TestSilo[] silos) => silos.Select(silo => silo.Name).Order(StringComparer.Ordinal);

    private async Task<MembershipDocument?> DocumentAsync() =>
        await _cluster.Documents.ReadAsync(MembershipDocument.Name, CancellationToken.None) is { } document ? MembershipDocument.Decode(document.Content, _cluster.Id) : null;

    private async Task<IReadOnlyList<string>> ActiveAsync() =>
        [.. (await DocumentAsync())?.Silos.Where(row => row.Status == SiloStatus.Active).Select(row => row.Silo).Order(StringComparer.Ordinal) ?? Enumerable.Empty<string>()];

    private async Task<SiloStatus?> StatusAsync(TestSilo silo) => (await DocumentAsync())?.Find(silo.Address)?.Status;

    /// <summary>Until each could place a grain on each.</summary>
    private static Task KnownAsync(params TestSilo[] silos) => TestCluster.UntilAsync(
        () => Task.FromResult(silos.All(silo => silos.All(other => silo.Services.GetRequiredService<IClusterManifestProvider>().Current.Silos.ContainsKey(other.Address)))),
        TimeSpan.FromSeconds(20), "silos that know of each other");

    /// <summary>Where each grain is; calls are repeated while a silo that died is still believed alive.</summary>
    private async Task<SortedDictionary<string, string>> PlacesAsync(IGrainFactory grains, int from = 0, int count = Keys)
    {
        var places = new ConcurrentDictionary<string, string>();
        await Task.WhenAll(Enumerable.Range(from, count).Select(async i =>
        {
            var key = $"{_run}-{i}.example";
            await TestCluster.UntilAsync(async () =>
            {
                try
                {
                    places[key] = (await grains.GetGrain<IDomainQueueAdmin>(key).Show(1)).Site!;
                    return true;
                }
                catch (Exception failure) when (failure is OrleansException or TimeoutException or IOException)
                {
                    return false;
                }
            }, TimeSpan.FromSeconds(25), $"an answer of {key}");
        }));
        return new(places.ToDictionary());
    }

    /// <summary>Calls one grain after another, and tells the longest time without an answer.</summary>
    private async Task<TimeSpan> CallAsync(IGrainFactory grains, CancellationToken ending)
    {
        var worst = TimeSpan.Zero;
        var last = Stopwatch.StartNew();
        for (var i = 0; !ending.IsCancellationRequested; i++)
        {
            try
            {
                await grains.GetGrain<IDomainQueueAdmin>($"{_run}-{i % Keys}.example").Show(1);
                if (last.Elapsed > worst) worst = last.Elapsed;
                last.Restart();
                await Task.Delay(20, CancellationToken.None);
            }
            catch (Exception failure) when (failure is OrleansException or TimeoutException)
            {
                await Task.Delay(20, CancellationToken.None);
            }
        }

        return worst;
    }
}
