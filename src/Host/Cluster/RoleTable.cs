using System.Collections.Frozen;
using Angarium.Contracts.Admin;
using Angarium.Contracts.Administrators;
using Angarium.Contracts.DomainQueues;
using Angarium.Contracts.EgressPools;
using Angarium.Contracts.Inbound;
using Angarium.Contracts.Requests;
using Angarium.Contracts.Tenants;
using Angarium.Contracts.Webhooks;

namespace Angarium.Host.Cluster;

/// <summary>Who may call which interface of a silo (design, "Roles"). What is not listed, Orleans' own interfaces among it, is for silos alone. Any thread; never changes.</summary>
internal static class RoleTable
{
    /// <summary>The one interface of Orleans that its clients call: which grains there are, without which a client can call nothing. It only tells.</summary>
    private const string ManifestInterface = "Orleans.Runtime.IClusterManifestSystemTarget";

    private const CallerRoles Everybody = CallerRoles.Ingress | CallerRoles.Egress | CallerRoles.Api | CallerRoles.Grains;

    private static readonly FrozenDictionary<Type, CallerRoles> s_admitted = new Dictionary<Type, CallerRoles>
    {
        [typeof(IDomainQueueIntake)] = CallerRoles.Ingress | CallerRoles.Grains,
        [typeof(IDomainQueueExchange)] = CallerRoles.Egress | CallerRoles.Grains,
        [typeof(IEgressPoolPoll)] = CallerRoles.Egress | CallerRoles.Grains,
        [typeof(IDomainQueueAdmin)] = CallerRoles.Api | CallerRoles.Grains,
        [typeof(ITenantAdmission)] = CallerRoles.Ingress | CallerRoles.Grains,
        [typeof(ITenantAdmin)] = CallerRoles.Api | CallerRoles.Grains,
        [typeof(IAdministrators)] = CallerRoles.Api | CallerRoles.Grains,
        [typeof(ITenantDirectory)] = CallerRoles.Api | CallerRoles.Grains,
        [typeof(IInboundDirectory)] = CallerRoles.Ingress | CallerRoles.Grains,
        [typeof(IInboundDomainAdmin)] = CallerRoles.Api | CallerRoles.Grains,
        [typeof(ITenantInbound)] = CallerRoles.Api | CallerRoles.Grains,
        [typeof(IRememberedRequest)] = CallerRoles.Ingress | CallerRoles.Api | CallerRoles.Grains,
        [typeof(IWebhookWork)] = CallerRoles.Egress | CallerRoles.Grains,
        [typeof(IQueueDirectoryGrain)] = CallerRoles.Api | CallerRoles.Grains,
        [typeof(IOperators)] = CallerRoles.Api | CallerRoles.Grains,
    }.ToFrozenDictionary();

    public static bool Admits(CallerRoles caller, Type called) => (caller & RolesOf(called)) != 0;

    public static CallerRoles RolesOf(Type called) => s_admitted.TryGetValue(called, out var roles) ? roles
        : called.FullName == ManifestInterface && called.Assembly == typeof(IClusterClient).Assembly ? Everybody
        : CallerRoles.Grains;
}
