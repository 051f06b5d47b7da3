using Angarium.Host.Cluster;

namespace Angarium.Integration.Cluster;

/// <summary>Secrets of the roles of a test's cluster.</summary>
internal static class TestSecrets
{
    public static readonly Dictionary<string, string> All = new()
    {
        ["ingress"] = "ingress-secret-1f7a", ["egress"] = "egress-secret-93bc0", ["api"] = "api-secret-4d5e6f70", ["grains"] = "grains-secret-8a9b0c",
    };

    public static RoleSecrets Of(string role) => role == "grains" ? new([role], All) : new([role], new Dictionary<string, string> { [role] = All[role] });
}
