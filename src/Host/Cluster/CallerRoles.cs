namespace Angarium.Host.Cluster;

/// <summary>The roles that may call something. A value.</summary>
[Flags]
internal enum CallerRoles
{
    None = 0,
    Ingress = 1,
    Egress = 2,
    Api = 4,
    Grains = 8,
}
