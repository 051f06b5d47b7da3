using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Angarium.Host.Cluster.Tls;

/// <summary>The three files of `Cluster:Tls`: this process's certificate with its chain, its key, and the authorities that speak for the cluster. A value.</summary>
internal sealed record ClusterTlsFiles(string Certificate, string Key, string Authority);

/// <summary>What this process shows to the others, and whom it believes: one reading of the files. Never changes; any thread.</summary>
/// <param name="Own">With the certificates between it and its authority, which are shown too.</param>
/// <param name="Between">These, as the file has them.</param>
internal sealed record ClusterIdentity(SslStreamCertificateContext Own, X509Certificate2Collection Between, X509Certificate2Collection Authorities)
{
    /// <summary>The usages of a certificate (RFC 5280 §4.2.1.12): who accepts connections needs the first, who opens them the second.</summary>
    public const string ServerAuth = "1.3.6.1.5.5.7.3.1", ClientAuth = "1.3.6.1.5.5.7.3.2";

    public X509Certificate2 Certificate => Own.TargetCertificate;

    /// <exception cref="CryptographicException">They are not what they should be. Others as <see cref="IsExpected"/> says.</exception>
    public static ClusterIdentity Load(ClusterTlsFiles files)
    {
        var leaf = X509Certificate2.CreateFromPemFile(files.Certificate, files.Key);
        var chain = new X509Certificate2Collection();
        chain.ImportFromPemFile(files.Certificate);
        var authorities = new X509Certificate2Collection();
        authorities.ImportFromPemFile(files.Authority);
        if (authorities.Count == 0) throw new CryptographicException($"{files.Authority} holds no certificate");
        // Offline: what is in the file is what is shown; nothing is fetched in the middle of a handshake.
        return new ClusterIdentity(SslStreamCertificateContext.Create(leaf, chain, offline: true), chain, authorities);
    }

    /// <summary>Why the others would not take it now; null = nothing that it says of itself.</summary>
    public string? Flaw(DateTimeOffset now) =>
        !HasUsage(Certificate, ClientAuth) ? "it is not for clientAuth"
        : Certificate.NotBefore.ToUniversalTime() > now.UtcDateTime ? $"it is valid from {Certificate.NotBefore.ToUniversalTime():u}"
        : Certificate.NotAfter.ToUniversalTime() < now.UtcDateTime ? $"it has expired on {Certificate.NotAfter.ToUniversalTime():u}"
        : null;

    public static bool IsExpected(Exception e) => e is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException or NotSupportedException;

    /// <summary>Null, or the line that says what is wrong with the files. That the certificate has expired is no mistake of the settings: the process starts, and says so.</summary>
    public static string? Mistake(ClusterTlsFiles files, bool accepts)
    {
        try
        {
            var identity = Load(files);
            if (!identity.IsOfAuthority()) return $"Cluster:Tls:Certificate: '{files.Certificate}' is not of an authority in Cluster:Tls:Authority '{files.Authority}'; give the authority that issued it, and the certificates between them in the first file.";
            if (!HasUsage(identity.Certificate, ClientAuth) || accepts && !HasUsage(identity.Certificate, ServerAuth))
                return $"Cluster:Tls:Certificate: '{files.Certificate}' is not for {(accepts ? "server and client authentication" : "client authentication")}; issue one with the extended key usages serverAuth and clientAuth.";
            return null;
        }
        catch (Exception e) when (IsExpected(e))
        {
            return $"Cluster:Tls:Certificate: '{files.Certificate}' with Cluster:Tls:Key '{files.Key}' and Cluster:Tls:Authority '{files.Authority}' cannot be used: {OneLine(e)}; give PEM files with the chain, its key and the authority.";
        }
    }

    /// <summary>The certificate leads to one of the authorities, whatever the time is.</summary>
    public bool IsOfAuthority()
    {
        using var chain = new X509Chain { ChainPolicy = Policy(null) };
        chain.ChainPolicy.VerificationFlags = X509VerificationFlags.IgnoreNotTimeValid;
        chain.ChainPolicy.ExtraStore.AddRange(Between);
        return chain.Build(Certificate);
    }

    /// <summary>Of what is shown to this process: the cluster's authorities alone, never the system's; nothing is asked of anybody. A new one each time: handshakes add to it.</summary>
    public X509ChainPolicy Policy(string? usage)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true };
        policy.CustomTrustStore.AddRange(Authorities);
        if (usage is not null) policy.ApplicationPolicy.Add(new Oid(usage));
        return policy;
    }

    /// <summary>Why the peer is no member; null = it is. Any certificate of the authorities that is for this usage, and valid now, is a member's: names are not looked at, since addresses of pods change.</summary>
    public static string? Objection(X509Certificate? shown, X509Chain? chain, SslPolicyErrors errors, string usage)
    {
        if (shown is not X509Certificate2 certificate) return "it shows no certificate";
        var name = certificate.Subject.Length <= 100 ? certificate.Subject : certificate.Subject[..100] + "…";
        if ((errors & ~SslPolicyErrors.RemoteCertificateNameMismatch) == SslPolicyErrors.None)
            return HasUsage(certificate, usage) ? null : $"its certificate ({name}) is not for {(usage == ClientAuth ? "clientAuth" : "serverAuth")}";
        var found = X509ChainStatusFlags.NoError;
        foreach (var status in chain?.ChainStatus ?? []) found |= status.Status;
        return (found & ~(X509ChainStatusFlags.NotTimeValid | X509ChainStatusFlags.NotValidForUsage)) != 0 ? $"its certificate ({name}) is not of an authority in Cluster:Tls:Authority ({found})"
            : (found & X509ChainStatusFlags.NotTimeValid) != 0 ? $"its certificate ({name}) is not valid now: from {certificate.NotBefore.ToUniversalTime():u} to {certificate.NotAfter.ToUniversalTime():u}"
            : $"its certificate ({name}) is not for {(usage == ClientAuth ? "clientAuth" : "serverAuth")}";
    }

    public static string OneLine(Exception e) => e.Message.ReplaceLineEndings(" ").TrimEnd('.');

    // One that names no usage at all may have been issued for anything: it is not taken.
    private static bool HasUsage(X509Certificate2 certificate, string usage)
    {
        foreach (var extension in certificate.Extensions)
            if (extension is X509EnhancedKeyUsageExtension usages)
                foreach (var each in usages.EnhancedKeyUsages)
                    if (each.Value == usage) return true;
        return false;
    }
}
