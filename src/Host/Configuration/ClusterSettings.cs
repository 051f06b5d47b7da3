using System.Net;
using Angarium.Contracts.Configuration;
using Angarium.Host.Cluster;

namespace Angarium.Host.Configuration;

/// <summary>How this process takes part in a cluster; without an id it is alone, with embedded stores. A value.</summary>
public sealed record ClusterSettings : IValidates
{
    [Setting("Cluster:Id", "Name of the cluster that this process is part of; empty = it is alone, with embedded stores under `Data`. Lower-case letters, digits and `-`, up to 32.")]
    public string Id { get; init; } = "";

    [Setting("Cluster:SiloPort", "Port on which silos (`grains`) talk to each other. Trusted networks only: there is no TLS on it yet.", Min = 1, Max = 65_535)]
    public int SiloPort { get; init; } = 11_111;

    [Setting("Cluster:GatewayPort", "Port on which silos (`grains`) serve the other roles. Trusted networks only: there is no TLS on it yet.", Min = 1, Max = 65_535)]
    public int GatewayPort { get; init; } = 30_000;

    [Setting("Cluster:Advertise", "IP address under which the other processes reach this silo; it listens there only when it is an address of this machine, else on all.", DefaultText = "the machine's first address")]
    public string Advertise { get; init; } = "";

    [Setting("Cluster:Secret:*", "Secret by which a role proves itself on every call: `Cluster:Secret:ingress`, `…:grains`, `…:egress`, `…:api`, all different, 16 to 256 characters. Silos need all four, the others their own.", Secret = true)]
    public IReadOnlyDictionary<string, string> Secrets { get; init; } = new Dictionary<string, string>();

    public bool IsCluster => Id.Length > 0;

    public IEnumerable<string> Validate()
    {
        if (Id.Length > 32 || Id.Any(c => !char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c) && c != '-'))
            yield return $"Cluster:Id: `{Id}` cannot name a cluster; use up to 32 lower-case letters, digits and `-`, such as `mail-1`.";
        if (Advertise.Length > 0 && (!IPAddress.TryParse(Advertise, out var address) || address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any)))
            yield return $"Cluster:Advertise: `{Advertise}` is not the IP address of a machine; set the address that the other processes connect to, such as 10.1.2.3.";
        foreach (var problem in RoleSecrets.Problems(Secrets)) yield return problem;
        if (IsCluster && SiloPort == GatewayPort) yield return $"Cluster:GatewayPort: is that of Cluster:SiloPort ({SiloPort}); give each a port of its own.";
    }
}
