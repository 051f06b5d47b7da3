using Angarium.Contracts.Admin;
using Angarium.Contracts.EgressPools;
using Angarium.Mail;

namespace Angarium.Grains.Control;

/// <summary>Which sites, tenants and sources operators suspended, for whoever has to ask often. Immutable; any thread.</summary>
internal sealed class SuspensionMap
{
    private readonly Dictionary<string, Suspension> _sites, _tenants;
    private readonly bool _namesPools;

    public SuspensionMap(IReadOnlyList<Suspension> all)
    {
        All = all;
        _sites = Of(SuspensionKind.Site);
        _tenants = Of(SuspensionKind.Tenant);
        _namesPools = _sites.Keys.Any(name => PoolName.SiteOf(name) != name);

        Dictionary<string, Suspension> Of(SuspensionKind kind) => all.Where(one => one.Kind == kind).ToDictionary(one => one.Name, StringComparer.Ordinal);
    }

    public static SuspensionMap Empty { get; } = new([]);

    public IReadOnlyList<Suspension> All { get; }

    /// <summary>The order that keeps mail from a site.</summary>
    /// <param name="site">As a pool's sessions know it.</param>
    /// <param name="now">By the store's time.</param>
    public Suspension? OfSite(string site, StoreTime now)
    {
        if (_sites.Count == 0) return null;
        var (pool, bare) = (PoolName.PoolOf(site), PoolName.SiteOf(site));
        return InForce(_sites.GetValueOrDefault(bare), now) ?? (_namesPools ? InForce(_sites.GetValueOrDefault($"{pool}!{bare}"), now) : null);
    }

    public Suspension? OfTenant(string tenant, StoreTime now) => _tenants.Count == 0 ? null : InForce(_tenants.GetValueOrDefault(tenant), now);

    public IReadOnlyList<string> Tenants(StoreTime now) => _tenants.Count == 0 ? [] : [.. _tenants.Values.Where(one => !one.IsOver(now)).Select(one => one.Name)];

    public string[] Sources(StoreTime now) => All.Count == 0 ? [] : [.. All.Where(one => one.Kind == SuspensionKind.Source && !one.IsOver(now)).Select(one => one.Name)];

    /// <summary>When the first of those that are in force ends.</summary>
    public StoreTime NextEnd(StoreTime now) => All.Where(one => one.Until > now).Select(one => one.Until).DefaultIfEmpty(new StoreTime(long.MaxValue)).Min();

    private static Suspension? InForce(Suspension? one, StoreTime now) => one?.IsOver(now) == false ? one : null;
}
