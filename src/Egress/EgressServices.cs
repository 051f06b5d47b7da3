using Angarium.Contracts.Configuration;
using Angarium.Contracts.Routing;
using Angarium.Egress.Routing;
using Angarium.Egress.Sessions;
using Angarium.Egress.Webhooks;
using Angarium.Egress.Worker;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Core;

namespace Angarium.Egress;

/// <summary>Registers the role. Needs ISettings&lt;EgressOptions&gt;, ISpoolReader, IStoreClock, TimeProvider and IGrainFactory from the host.</summary>
public static class EgressServices
{
    /// <summary>Where mail goes, without sending any: silos need it to name sites.</summary>
    public static IServiceCollection AddRouting(this IServiceCollection services) => services
        .AddSingleton<IDnsSource, DnsClientSource>()
        .AddSingleton<IRecordSource, DnsRecordSource>()
        .AddSingleton(provider => new RouteResolver(
            provider.GetRequiredService<ISettings<EgressOptions>>(), provider.GetRequiredService<IDnsSource>(), provider.GetRequiredService<TimeProvider>(), provider.GetService<IInboundRoutes>()))
        .AddSingleton<IRouteResolver>(provider => provider.GetRequiredService<RouteResolver>());

    /// <summary>The workers; <see cref="AddRouting"/> as well, once.</summary>
    public static IServiceCollection AddEgress(this IServiceCollection services) => services
        .AddSingleton<ConnectionWatch>()
        .AddSingleton<ClusterLink>()
        .AddSingleton<IClusterConnectionStatusObserver>(provider => provider.GetRequiredService<ClusterLink>())
        .AddSingleton<EgressWorkers>()
        .AddSingleton(provider => new EgressReadiness(() => provider.GetRequiredService<EgressWorkers>().IsReady))
        .AddHostedService(provider => provider.GetRequiredService<EgressWorkers>())
        .AddSingleton(provider =>
        {
            var (allowPrivate, time) = (provider.GetRequiredService<ISettings<WebhookEgressOptions>>().Current.AllowPrivate, provider.GetRequiredService<TimeProvider>());
            return new WebhookClient(new WebhookAddresses(provider.GetRequiredService<IDnsSource>(), allowPrivate, new RouteResolver.OwnAddresses(time).Current), allowPrivate, time);
        })
        .AddHostedService<WebhookPoster>();
}

/// <summary>Whether this process's egress takes orders: its pools have heard it within the last 20 s. Any thread.</summary>
public sealed class EgressReadiness(Func<bool> isReady)
{
    public bool IsReady => isReady();
}
