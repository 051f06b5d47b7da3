using System.Net;
using Angarium.Host.Cluster;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;

namespace Angarium.Host.Serving;

/// <summary>
/// One process as one silo that opens no port: it is alone in a cluster of its own, so its listeners accept nothing and need no socket. Used at start, on
/// one thread.
/// </summary>
internal static class SiloWithoutPorts
{
    /// <summary>Longest wait for a grain's answer. Exchanges and polls that wait on purpose wait less than this.</summary>
    private static readonly TimeSpan s_responseTimeout = TimeSpan.FromSeconds(30);

    public static void AddSiloWithoutPorts(this IHostApplicationBuilder builder)
    {
        builder.UseOrleans(silo =>
        {
            // The address only names the silo; random ids keep two relays of one machine apart should one ever learn of the other.
            silo.UseLocalhostClustering(serviceId: "angarium", clusterId: $"angarium-{Guid.NewGuid():N}");
            silo.Configure<EndpointOptions>(options =>
            {
                options.AdvertisedIPAddress = IPAddress.Loopback;
                options.GatewayPort = 0;
            });
            silo.Configure<GrainDirectoryOptions>(options => options.CacheSize = ClusterTuning.RememberedGrains);
            silo.Configure<SiloMessagingOptions>(options =>
            {
                options.ResponseTimeout = s_responseTimeout;
                options.MaxEnqueuedRequestsSoftLimit = ClusterTuning.EnqueuedSoft;
                options.MaxEnqueuedRequestsHardLimit = ClusterTuning.EnqueuedHard;
            });
        });

        var listeners = builder.Services.Where(service => service.IsKeyedService && service.ServiceType == typeof(IConnectionListenerFactory)).ToList();
        if (listeners.Count == 0) throw new InvalidOperationException("The silo's listeners were not found: it would open ports.");
        foreach (var listener in listeners)
        {
            builder.Services.Remove(listener);
            builder.Services.AddKeyedSingleton<IConnectionListenerFactory>(listener.ServiceKey, new NoConnections());
        }
    }

    /// <summary>Binds nothing and accepts nothing until it is unbound.</summary>
    private sealed class NoConnections : IConnectionListenerFactory
    {
        public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) => new(new Listener(endpoint));

        private sealed class Listener(EndPoint endPoint) : IConnectionListener
        {
            private readonly TaskCompletionSource _unbound = new(TaskCreationOptions.RunContinuationsAsynchronously);

            public EndPoint EndPoint => endPoint;

            public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
            {
                await _unbound.Task.WaitAsync(cancellationToken);
                return null;
            }

            public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
            {
                _unbound.TrySetResult();
                return default;
            }

            public ValueTask DisposeAsync() => UnbindAsync();
        }
    }
}
