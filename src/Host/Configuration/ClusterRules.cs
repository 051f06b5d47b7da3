using Angarium.Grains.Index;
using Angarium.Host.Cluster.Tls;

namespace Angarium.Host.Configuration;

/// <summary>What a process needs that is part of a cluster, and what it must not have when it is alone: the rules between roles, stores and cluster. Pure.</summary>
internal static class ClusterRules
{
    public static IEnumerable<string> Validate(IReadOnlyDictionary<Type, object> records)
    {
        if (!records.TryGetValue(typeof(RelayOptions), out var one) || !records.TryGetValue(typeof(ClusterSettings), out var two) || !records.TryGetValue(typeof(StoreSettings), out var three)
            || !records.TryGetValue(typeof(RedisOptions), out var four)) return [];
        var (relay, cluster, stores, redis) = ((RelayOptions)one, (ClusterSettings)two, (StoreSettings)three, ((RedisOptions)four).Redis);
        return cluster.IsCluster ? InCluster(relay, cluster, stores, redis) : Alone(relay, cluster, stores, redis);
    }

    private static IEnumerable<string> Alone(RelayOptions relay, ClusterSettings cluster, StoreSettings stores, string redis)
    {
        if (!relay.Runs("grains")) yield return "Roles: must contain `grains` while Cluster:Id is empty; processes with some of the roles need a cluster: set Cluster:Id, Redis and Spool:Azure.";
        if (redis.Length > 0) yield return "Redis: must be empty while Cluster:Id is; a process that is alone keeps the queue's index in memory and rebuilds it from the spool at start.";
        if (stores.Azure.Length > 0) yield return "Spool:Azure: must be empty while Cluster:Id is; a process that is alone keeps its stores in files under Data.";
        if (cluster.Tls is { Key.Length: > 0, Authority.Length: > 0 }) yield return "Cluster:Tls:Certificate: must be empty while Cluster:Id is; a process that is alone speaks to no other.";
        foreach (var container in stores.Containers.Keys) yield return $"Spool:Containers:{container}: must be empty while Cluster:Id is; a process that is alone keeps its stores in files under Data.";
    }

    private static IEnumerable<string> InCluster(RelayOptions relay, ClusterSettings cluster, StoreSettings stores, string redis)
    {
        var isSilo = relay.Runs("grains");
        if (isSilo && redis.Length == 0) yield return "Redis: must name the server of the queue's index in a process with the role `grains`, such as `redis:6379`.";
        if (!isSilo && redis.Length > 0) yield return "Redis: must be empty in a process without the role `grains`: only silos may touch it.";
        foreach (var role in RelayOptions.AllRoles.Where(role => (isSilo || relay.Runs(role)) && !cluster.Secrets.ContainsKey(role)))
            yield return $"Cluster:Secret:{role}: must be set in this process; make one with `openssl rand -hex 16` and give it to every process that needs it.";
        foreach (var role in RelayOptions.AllRoles.Where(role => !isSilo && !relay.Runs(role) && cluster.Secrets.ContainsKey(role)))
            yield return $"Cluster:Secret:{role}: does not belong into a process without the roles `grains` and `{role}`; take it out.";
        if (cluster.Tls is { Key.Length: > 0, Authority.Length: > 0 } tls && ClusterIdentity.Mistake(tls, accepts: isSilo) is { } mistake) yield return mistake;
        if (stores.Azure.Length > 0) yield break;
        foreach (var container in Needed(relay).Where(container => !stores.Containers.ContainsKey(container)))
            yield return $"Spool:Containers:{container}: must be set while Spool:Azure is empty: the URI of the container `{stores.Container}-{container}` with its SAS.";
    }

    /// <summary>The containers that the process's roles touch (the roles table of the design).</summary>
    private static IEnumerable<string> Needed(RelayOptions relay)
    {
        yield return "cluster";
        if (relay.Runs("ingress") || relay.Runs("egress") || relay.Runs("grains")) yield return "spool";
        if (relay.Runs("egress") || relay.Runs("grains")) yield return "moved";
        if (relay.Runs("api") || relay.Runs("grains")) yield return "ledger";
        if (relay.Runs("grains")) yield return "private";
    }
}
