using Angarium.Grains.EgressPools;
using Microsoft.Extensions.DependencyInjection;

namespace Angarium.Grains.Sites;

/// <summary>Registers what sites, pools, notices, control documents and the cleaner need in a silo.</summary>
internal static class SiteServices
{
    public static IServiceCollection AddSites(this IServiceCollection services)
    {
        services.AddSingleton<WorkerRegister>();
        return services;
    }
}
