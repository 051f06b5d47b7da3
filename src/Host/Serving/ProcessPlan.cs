using Angarium.Host.Configuration;
using Angarium.Spool;

namespace Angarium.Host.Serving;

/// <summary>What this process is: alone with embedded stores, or a silo or a client of a cluster, and which roles it runs. From validated settings; a value.</summary>
internal sealed record ProcessPlan(RelayOptions Options, ClusterSettings Cluster)
{
    public bool IsAlone => !Cluster.IsCluster;

    /// <summary>It hosts grains.</summary>
    public bool IsSilo => Options.Runs("grains");

    public bool RunsIngress => Options.Runs("ingress");

    public bool RunsEgress => Options.Runs("egress");

    /// <summary>It serves commands; a process that is alone always does.</summary>
    public bool RunsApi => IsAlone || Options.Runs("api");

    /// <summary>The roles by which it proves itself: a silo's one covers all.</summary>
    public IReadOnlyList<string> ProvenRoles => IsSilo ? ["grains"] : [.. RelayOptions.AllRoles.Where(Options.Runs)];

    /// <summary>What it may do with the stores (the roles table of the design).</summary>
    public StoreRights Rights => IsSilo ? StoreRights.All
        : StoreRights.Cluster | (RunsIngress ? StoreRights.Create : 0) | (RunsEgress ? StoreRights.ReadPacks : 0) | (RunsApi ? StoreRights.ReadLedger : 0);
}
