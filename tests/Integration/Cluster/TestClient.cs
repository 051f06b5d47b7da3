using Angarium.Host.Cluster;
using Angarium.Spool.Documents;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Angarium.Integration.Cluster;

/// <summary>A client over TCP, with the proof that the test gives it (null = none).</summary>
internal sealed class TestClient : IAsyncDisposable
{
    private readonly IHost _host;

    private TestClient(IHost host) => _host = host;

    public IClusterClient Grains => _host.Services.GetRequiredService<IClusterClient>();

    public static Task<TestClient> StartAsync(IDocumentStore documents, string cluster, string role, ILoggerProvider? log = null) =>
        StartAsync(documents, cluster, TestSecrets.Of(role), null, log);

    public static async Task<TestClient> StartAsync(IDocumentStore documents, string cluster, RoleSecrets secrets, IOutgoingGrainCallFilter? instead, ILoggerProvider? log = null, Action<IClientBuilder>? also = null, CancellationToken cancellationToken = default)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        if (log is not null) builder.Logging.SetMinimumLevel(LogLevel.Trace).AddProvider(log);
        builder.UseOrleansClient(client =>
        {
            client.UseCluster(cluster, documents, secrets);
            if (instead is not null) client.Services.Replace(ServiceDescriptor.Singleton(instead));
            also?.Invoke(client);
        });
        var host = builder.Build();
        try
        {
            await host.StartAsync(cancellationToken);
        }
        catch
        {
            host.Dispose();
            throw;
        }

        return new TestClient(host);
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
    }
}
