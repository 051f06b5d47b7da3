using Angarium.Bench.Load;

namespace Angarium.Bench.Relays;

/// <summary>A relay that is measured: listens on a loopback port of its own, forwards all to the sink's, and is started afresh for each round.</summary>
internal interface IRelay : IAsyncDisposable
{
    string Name { get; }

    /// <summary>What of a shape's messages it is given, so that a slow one does not take all day.</summary>
    double Share { get; }

    int Port { get; }

    /// <summary>What sends to it; null = what the shape needs.</summary>
    ILoad? Load => null;

    /// <summary>Its processes, with all that descend from them.</summary>
    IReadOnlyCollection<int> Roots { get; }

    /// <summary>Starts it with an empty queue; returns when it accepts.</summary>
    Task StartAsync(int sinkPort, string folder);

    /// <summary>Its own counters, by name; empty where it has none.</summary>
    Task<IReadOnlyDictionary<string, double>> CountersAsync();
}
