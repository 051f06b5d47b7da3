using System.Net;

namespace Angarium.Host.Cluster;

/// <summary>Where a silo is: `Cluster:Id`, `Cluster:SiloPort`, `Cluster:GatewayPort`, `Cluster:Advertise`. A value.</summary>
internal sealed record ClusterAddress
{
    public required string ClusterId { get; init; }

    public required int SiloPort { get; init; }

    public required int GatewayPort { get; init; }

    /// <summary>The address by which the other processes reach it.</summary>
    public required IPAddress Advertise { get; init; }

    /// <summary>The address on which it listens; null = all, or loopback alone when that is what is advertised.</summary>
    public IPAddress? Listen { get; init; }
}
