using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Angarium.Chaos.Processes;

namespace Angarium.Chaos.Chart;

/// <summary>The Secrets that the production example, and those beside it, name, with what their comments say is in them, for the stores of a run. Made once; immutable.</summary>
internal static class ChartSecrets
{
    /// <summary>What ingress and egress are to hold none of.</summary>
    public const string RedisPassword = "redis-password-of-the-chart";

    private static readonly X509Certificate2 s_authority = MakeAuthority();

    /// <summary>Who issued every certificate here, as PEM.</summary>
    public static string Authority => s_authority.ExportCertificatePem() + "\n";

    public static string MasterKey { get; } = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));

    /// <summary>`user password`.</summary>
    public const string ProxyLogin = "angarium password-of-the-proxy";

    public static string Administrator { get; } = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24));

    /// <param name="redis">As `Redis` takes it.</param>
    /// <param name="account">Of blob storage, for silos.</param>
    /// <param name="storage">What the other roles reach it with: role → container → address.</param>
    public static IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> Production(string redis, string account, IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> storage)
    {
        var all = new Dictionary<string, IReadOnlyDictionary<string, string>>
        {
            ["angarium-roles"] = ((string[])["ingress", "grains", "egress", "api"]).ToDictionary(r => r, r => $"secret-of-{r}-{Guid.NewGuid():N}"),
            ["angarium-cluster-tls"] = Certificate("angarium"),
            ["angarium-redis"] = new Dictionary<string, string> { ["connection"] = redis },
            ["angarium-keys"] = new Dictionary<string, string> { ["master"] = MasterKey },
            ["angarium-proxy"] = new Dictionary<string, string> { ["login"] = string.Join('\n', ProxyLogin.Split(' ')) + "\n" },
            ["angarium-storage-grains"] = new Dictionary<string, string> { ["account"] = account },
        };
        foreach (var (name, secret) in Single()) all[name] = secret;
        foreach (var (role, containers) in storage) all[$"angarium-storage-{role}"] = containers;
        // As cert-manager makes them.
        foreach (var role in (string[])["ingress", "grains", "egress", "api"]) all[$"angarium-{role}-cluster-tls"] = Certificate($"angarium-{role}");
        return all;
    }

    /// <summary>Those of the example of a single pod.</summary>
    public static IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> Single() => new Dictionary<string, IReadOnlyDictionary<string, string>>
    {
        ["angarium-smtp-tls"] = Certificate("mx.example.org"),
        ["angarium-administrator"] = new Dictionary<string, string> { ["administrator"] = Administrator },
    };

    private static X509Certificate2 MakeAuthority()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=angarium-test-authority", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(2));
    }

    /// <summary>As cert-manager writes it: certificate and chain, key, authority.</summary>
    public static Dictionary<string, string> Certificate(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        // Servers and clients alike.
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1"), new Oid("1.3.6.1.5.5.7.3.2")], critical: false));
        using var leaf = request.Create(s_authority, DateTimeOffset.UtcNow.AddHours(-12), DateTimeOffset.UtcNow.AddDays(1), RandomNumberGenerator.GetBytes(16));
        return new Dictionary<string, string> { ["tls.crt"] = leaf.ExportCertificatePem() + "\n", ["tls.key"] = key.ExportPkcs8PrivateKeyPem() + "\n", ["ca.crt"] = Authority };
    }
}
