using Angarium.Grains.Control;
using Angarium.Grains.EgressPools;
using Angarium.Grains.Notices;
using Angarium.Grains.Tenants;
using Microsoft.Extensions.DependencyInjection;

namespace Angarium.Grains.Sites;

/// <summary>Registers what sites, pools, notices and control documents need in a silo. Start-up only; no state.</summary>
internal static class SiteServices
{
    public static IServiceCollection AddSites(this IServiceCollection services)
    {
        services.AddSingleton<WorkerRegister>();
        services.AddSingleton<TenantPools>();
        services.AddHostedService<TenantPoolsWatch>();
        services.AddSingleton<ControlDocuments>();
        services.AddSingleton<IControlDocuments>(s => s.GetRequiredService<ControlDocuments>());
        services.AddHostedService<ControlWatch>();
        services.AddSingleton<Suspensions>();
        services.AddHostedService<SuspensionsWatch>();
        services.AddSingleton<OperatorAudit>();
        services.AddSingleton<SiloDesks>();
        services.AddSingleton<DomainExplainer>();
        services.AddSingleton<INoticeWriter, NoticeWriter>();
        return services;
    }
}
