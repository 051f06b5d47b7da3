using Angarium.Grains.EgressPools;
using Angarium.Host.Cluster;
using Angarium.Spool.Documents;
using Angarium.Spool.Files;
using Angarium.Spool.Time;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Configuration;

namespace Angarium.Integration.Cluster;

/// <summary>Documents in a folder of its own, shared by the silos and clients of one test, and what it started, ended in reverse.</summary>
internal sealed class TestCluster : IAsyncDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("angarium-test-").FullName;
    private readonly Stack<IAsyncDisposable> _started = new();

    public TestCluster()
    {
        Directory.CreateDirectory(Path.Combine(_root, "private"));
        Documents = new FileDocumentStore(LocalFileSystem.Instance, _root);
    }

    public string Id { get; } = $"test-{Guid.NewGuid():N}";

    public IDocumentStore Documents { get; }

    public T Add<T>(T one) where T : IAsyncDisposable
    {
        lock (_started) _started.Push(one);
        return one;
    }

    /// <summary>With an empty membership document from the start: a silo that finds none waits first.</summary>
    public Task WithDocumentAsync() => Documents.WriteAsync(MembershipDocument.Name, MembershipDocument.Empty(Id).Encode(), null, CancellationToken.None);

    public async Task<TestSilo> SiloAsync() => Add(await TestSilo.StartAsync(Documents, Id));

    /// <summary>A silo with egress pools in place of most other grains.</summary>
    public async Task<TestSilo> PoolSiloAsync(IStoreClock clock) => Add(await TestSilo.StartAsync(Documents, Id, silo =>
    {
        silo.Configure<GrainTypeOptions>(options => options.Classes.Add(typeof(EgressPoolGrain)));
        silo.Services.AddSingleton(clock);
        silo.Services.AddSingleton(Documents);
        silo.Services.AddSingleton<WorkerRegister>();
    }));

    /// <summary>Waits for what a test expects to come; the time is for a machine that is busy, and says what did not come.</summary>
    public static async Task UntilAsync(Func<Task<bool>> condition, TimeSpan atMost, string what)
    {
        var began = System.Diagnostics.Stopwatch.StartNew();
        while (!await condition())
        {
            Assert.True(began.Elapsed < atMost, $"did not come within {atMost}: {what}");
            await Task.Delay(50);
        }
    }

    public static Task UntilAsync(Func<bool> condition, TimeSpan atMost, string what) => UntilAsync(() => Task.FromResult(condition()), atMost, what);

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_started.Select(async one => await one.DisposeAsync()));
        Directory.Delete(_root, recursive: true);
    }
}
