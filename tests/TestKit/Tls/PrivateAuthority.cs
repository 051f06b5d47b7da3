using System.Diagnostics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Angarium.TestKit.Tls;

/// <summary>A private authority that issues certificates as PEM, as cert-manager or openssl would. Its key lives with it.</summary>
public sealed class PrivateAuthority
{
    public const string ServerAuth = "1.3.6.1.5.5.7.3.1", ClientAuth = "1.3.6.1.5.5.7.3.2";

    private readonly X509Certificate2 certificate;

    public PrivateAuthority(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, critical: true));
        certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddYears(-5), DateTimeOffset.UtcNow.AddYears(5));
    }

    public string Pem => certificate.ExportCertificatePem() + "\n";

    /// <param name="from">Days from now.</param>
    /// <param name="to">Days from now.</param>
    /// <param name="usages">None = the extension is left out; null = both.</param>
    public (string Certificate, string Key) Issue(string name, double from = -1, double to = 30, string[]? usages = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        usages ??= [ServerAuth, ClientAuth];
        if (usages.Length > 0) request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([.. usages.Select(usage => new Oid(usage))], critical: false));
        using var issued = request.Create(certificate, DateTimeOffset.UtcNow.AddDays(from), DateTimeOffset.UtcNow.AddDays(to), RandomNumberGenerator.GetBytes(16));
        return (issued.ExportCertificatePem() + "\n", key.ExportPkcs8PrivateKeyPem() + "\n");
    }
}

/// <summary>Certificate, key and authorities of one process in a folder as Kubernetes mounts a secret: the files are links into a folder of their own, and one rename changes all three.</summary>
public sealed class MountedSecret : IDisposable
{
    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("angarium-secret-");
    private int version;

    public MountedSecret(PrivateAuthority issuer, string name, double from = -1, double to = 30, string[]? usages = null, string? authorities = null)
    {
        Write(issuer.Issue(name, from, to, usages), authorities ?? issuer.Pem);
        foreach (var file in (string[])[Certificate, Key, Authority]) File.CreateSymbolicLink(file, Path.Combine("..data", Path.GetFileName(file)));
    }

    public string Certificate => Path.Combine(root.FullName, "tls.crt");

    public string Key => Path.Combine(root.FullName, "tls.key");

    public string Authority => Path.Combine(root.FullName, "ca.crt");

    public void Write((string Certificate, string Key) issued, string authorities)
    {
        var folder = $"..{++version}";
        Directory.CreateDirectory(Path.Combine(root.FullName, folder));
        File.WriteAllText(Path.Combine(root.FullName, folder, "tls.crt"), issued.Certificate);
        File.WriteAllText(Path.Combine(root.FullName, folder, "tls.key"), issued.Key);
        File.WriteAllText(Path.Combine(root.FullName, folder, "ca.crt"), authorities);
        var link = Path.Combine(root.FullName, "..data");
        File.CreateSymbolicLink(link + "_tmp", folder);
        // rename(2), which neither File.Move nor Directory.Move is for a link to a folder that replaces another.
        using var rename = Process.Start("mv", ["-T", link + "_tmp", link]);
        rename.WaitForExit();
        if (rename.ExitCode != 0) throw new IOException($"mv ended with {rename.ExitCode}");
    }

    public void Dispose() => root.Delete(recursive: true);
}
