using System.Net;
using Angarium.Contracts.Configuration;
using Angarium.Host.Cluster;
using Angarium.Host.Cluster.Tls;

namespace Angarium.Host.Configuration;

/// <summary>How this process takes part in a cluster; without an id it is alone, with embedded stores. A value.</summary>
public sealed record ClusterSettings : IValidates
{
    [Setting("Cluster:Id", "Name of the cluster that this process is part of; empty = it is alone, with embedded stores under `Data`. Lower-case letters, digits and `-`, up to 32.")]
    public string Id { get; init; } = "";

    [Setting("Cluster:SiloPort", "Port on which silos (`grains`) talk to each other; under TLS if `Cluster:Tls` is set, else for trusted networks only.", Min = 1, Max = 65_535)]
    public int SiloPort { get; init; } = 11_111;

    [Setting("Cluster:GatewayPort", "Port on which silos (`grains`) serve the other roles; under TLS if `Cluster:Tls` is set, else for trusted networks only.", Min = 1, Max = 65_535)]
    public int GatewayPort { get; init; } = 30_000;

    [Setting("Cluster:Advertise", "IP address under which the other processes reach this silo; it listens there only when it is an address of this machine, else on all.", DefaultText = "the machine's first address")]
    public string Advertise { get; init; } = "";

    [Setting("Cluster:Secret:*", "Secret by which a role proves itself on every call: `Cluster:Secret:ingress`, `…:grains`, `…:egress`, `…:api`, all different, 16 to 256 characters. Silos need all four, the others their own.", Secret = true)]
    public IReadOnlyDictionary<string, string> Secrets { get; init; } = new Dictionary<string, string>();

    [Setting("Cluster:Tls:Certificate", "PEM file with this process's certificate for TLS between processes, and its chain; extended key usages serverAuth and clientAuth. Read again when it changes, as are the other two. All three or none, and in all processes alike.",
        DefaultText = "none: no TLS between processes")]
    public string TlsCertificate { get; init; } = "";

    [Setting("Cluster:Tls:Key", "PEM file with the private key of that certificate, not encrypted.", DefaultText = "none")]
    public string TlsKey { get; init; } = "";

    [Setting("Cluster:Tls:Authority", "PEM file with the private authorities of the cluster: whoever shows a certificate of one of them is a process of it.", DefaultText = "none")]
    public string TlsAuthority { get; init; } = "";

    /// <summary>Null = no TLS between processes.</summary>
    internal ClusterTlsFiles? Tls => TlsCertificate.Length > 0 ? new(TlsCertificate, TlsKey, TlsAuthority) : null;

    public bool IsCluster => Id.Length > 0;

    public IEnumerable<string> Validate()
    {
        if (Id.Length > 32 || Id.Any(c => !char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c) && c != '-'))
            yield return $"Cluster:Id: `{Id}` cannot name a cluster; use up to 32 lower-case letters, digits and `-`, such as `mail-1`.";
        if (Advertise.Length > 0 && (!IPAddress.TryParse(Advertise, out var address) || address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any)))
            yield return $"Cluster:Advertise: `{Advertise}` is not the IP address of a machine; set the address that the other processes connect to, such as 10.1.2.3.";
        if (new[] { TlsCertificate, TlsKey, TlsAuthority }.Count(file => file.Length > 0) is 1 or 2)
            yield return "Cluster:Tls:Certificate, Cluster:Tls:Key and Cluster:Tls:Authority belong together; set all three or none.";
        foreach (var problem in RoleSecrets.Problems(Secrets)) yield return problem;
        if (IsCluster && SiloPort == GatewayPort) yield return $"Cluster:GatewayPort: is that of Cluster:SiloPort ({SiloPort}); give each a port of its own.";
    }
}
