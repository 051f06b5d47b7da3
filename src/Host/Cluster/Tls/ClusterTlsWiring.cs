using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;

namespace Angarium.Host.Cluster.Tls;

/// <summary>Puts <see cref="ClusterTls"/> around the connections of a silo or a client. Used at start, on one thread.</summary>
internal static class ClusterTlsWiring
{
    public static ISiloBuilder UseTls(this ISiloBuilder silo, ClusterTlsFiles files)
    {
        silo.Services.AddTls(files);
        return silo.Configure<SiloConnectionOptions>(options =>
        {
            options.ConfigureSiloInboundConnection(Accept);
            options.ConfigureSiloOutboundConnection(Connect);
            options.ConfigureGatewayInboundConnection(Accept);
        });
    }

    public static IClientBuilder UseTls(this IClientBuilder client, ClusterTlsFiles files)
    {
        client.Services.AddTls(files);
        return client.Configure<ClientConnectionOptions>(options => options.ConfigureConnection(Connect));
    }

    private static void AddTls(this IServiceCollection services, ClusterTlsFiles files)
    {
        services.AddSingleton(provider => new ClusterCertificate(files, provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<ClusterCertificate>>()));
        services.AddSingleton<ClusterTls>();
    }

    private static void Accept(IConnectionBuilder builder)
    {
        var tls = builder.ApplicationServices.GetRequiredService<ClusterTls>();
        builder.Use(next => connection => tls.AcceptAsync(connection, next));
    }

    private static void Connect(IConnectionBuilder builder)
    {
        var tls = builder.ApplicationServices.GetRequiredService<ClusterTls>();
        builder.Use(next => connection => tls.ConnectAsync(connection, next));
    }
}
