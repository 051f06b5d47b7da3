using Angarium.Chaos.Processes;
using Angarium.Chaos.Traffic;

namespace Angarium.Chaos.Scenarios;

/// <summary>What a cluster is shown to do, in steps that each answer one test; the steps share the cluster and follow each other. Holds no state.</summary>
public abstract class Scenario
{
    /// <summary>How many processes of each role.</summary>
    internal virtual Shape Shape => Shape.Usual;

    internal virtual int DomainsPerSite(bool isFull) => 20;

    internal virtual Tuning Tuning => new();

    /// <summary>In place of those in <see cref="Stage.Settings"/>.</summary>
    internal abstract IReadOnlyDictionary<string, string> Settings(bool isFull);

    /// <summary>Starts what it plays on.</summary>
    internal virtual Task<Cluster> StartAsync(World world, string folder, IReadOnlyDictionary<string, string> settings) => Cluster.StartAsync(Shape, world, folder, settings, clockRole: null, Tuning);

    internal abstract Task RunAsync(Stage stage);
}
