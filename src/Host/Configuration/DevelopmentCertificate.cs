using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Angarium.Host.Configuration;

/// <summary>In development submission works at once: a certificate that nobody has to trust, made at the first start and kept in `Data`. At start, on one thread.</summary>
internal static class DevelopmentCertificate
{
    private const string Submission = "127.0.0.1:2587", Submissions = "127.0.0.1:2465";

    /// <summary>The settings that go with it; none where a certificate is named.</summary>
    public static IReadOnlyDictionary<string, string> Settings(SettingValues values)
    {
        if (values["Tls:Certificate"] is not null || values["Tls:Key"] is not null) return new Dictionary<string, string>();
        var folder = Path.Combine(values["Data"]?.Text.Trim() is { Length: > 0 } data ? data : "data", "tls");
        var (certificate, key) = (Path.Combine(folder, "certificate.pem"), Path.Combine(folder, "key.pem"));
        try
        {
            if (!File.Exists(certificate) || !File.Exists(key)) Make(folder, certificate, key);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Why the folder cannot be had is said by whoever opens it next.
            return new Dictionary<string, string>();
        }

        return new Dictionary<string, string> { ["Tls:Certificate"] = certificate, ["Tls:Key"] = key, ["Ingress:Submission:Listen"] = Submission, ["Ingress:Submissions:Listen"] = Submissions };
    }

    private static void Make(string folder, string certificate, string key)
    {
        Directory.CreateDirectory(folder);
        using var made = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", made, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(System.Net.IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var signed = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddYears(10));
        File.WriteAllText(key, "");
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.WriteAllText(key, made.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(certificate, signed.ExportCertificatePem());
    }
}
