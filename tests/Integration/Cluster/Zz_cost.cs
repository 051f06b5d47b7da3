using System.Diagnostics;
using Angarium.Contracts.Admin;
using Angarium.Contracts.DomainQueues;
using Angarium.Host.Cluster.Tls;
using Angarium.TestKit.Tls;

namespace Angarium.Integration.Cluster;

public sealed class Zz_cost(ITestOutputHelper output)
{
    [Fact]
    public async Task Cost()
    {
        var authority = new PrivateAuthority("c");
        using var secret = new MountedSecret(authority, "x");
        var files = new ClusterTlsFiles(secret.Certificate, secret.Key, secret.Authority);
        await using TestCluster plain = new(), secured = new();
        await plain.WithDocumentAsync();
        await secured.WithDocumentAsync();
        plain.Add(await TestSilo.StartAsync(plain.Documents, plain.Id));
        secured.Add(await TestSilo.StartAsync(secured.Documents, secured.Id, silo => silo.UseTls(files)));
        var one = plain.Add(await TestClient.StartAsync(plain.Documents, plain.Id, TestSecrets.Of("api"), null)).Grains;
        var two = secured.Add(await TestClient.StartAsync(secured.Documents, secured.Id, TestSecrets.Of("api"), null, also: client => client.UseTls(files))).Grains;
        foreach (var callers in new[] { 1, 32 })
            for (var round = 0; round < 4; round++)
                foreach (var (name, grains) in new[] { ("plain", one), ("tls", two) })
                {
                    var cpu = Process.GetCurrentProcess().TotalProcessorTime;
                    var watch = Stopwatch.StartNew();
                    var calls = 0;
                    await Task.WhenAll(Enumerable.Range(0, callers).Select(async caller =>
                    {
                        var grain = grains.GetGrain<IDomainQueueAdmin>($"k{caller}");
                        while (watch.ElapsedMilliseconds < 3000)
                        {
                            await grain.Show(1);
                            Interlocked.Increment(ref calls);
                        }
                    }));
                    using var process = Process.GetCurrentProcess();
                    output.WriteLine($"{callers} {name} round {round}: {calls / watch.Elapsed.TotalSeconds:0}/s, {(process.TotalProcessorTime - cpu).TotalMicroseconds / calls:0} us cpu a call");
                }
    }
}
