using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Angarium.Ingress.Files;
using Microsoft.Extensions.Logging;

namespace Angarium.Ingress.Tls;

/// <summary>
/// The certificate that clients are shown, with its chain, from two PEM files. <see cref="Current"/> may be read by any thread; <see cref="Refresh"/> is called by
/// one timer: a good new pair takes over for the next handshake, a bad one leaves the old in place and is told once.
/// </summary>
internal sealed partial class ServerCertificate
{
    private readonly string _certificate, _key;
    private readonly ILogger<ServerCertificate> _log;
    private readonly TimeProvider _time;
    private (FileStamp, FileStamp) _stamp;
    private DateTime _expires = DateTime.MaxValue;
    private volatile SslServerAuthenticationOptions? _current;

    public ServerCertificate(string certificate, string key, ILogger<ServerCertificate> log, TimeProvider? time = null)
    {
        (_certificate, _key, _log, _time) = (certificate, key, log, time ?? TimeProvider.System);
        if (certificate.Length > 0) Refresh();
    }

    /// <summary>Null = none is configured, or none could be read yet: STARTTLS is not offered.</summary>
    public SslServerAuthenticationOptions? Current => _current;

    /// <summary>Null, or the line to tell.</summary>
    public static string? Validate(string certificate, string key)
    {
        try
        {
            using var _ = Load(certificate, key, out var chain).TargetCertificate;
            foreach (var each in chain) each.Dispose();
            return null;
        }
        catch (Exception e) when (IsExpected(e))
        {
            return $"Tls:Certificate '{certificate}' with Tls:Key '{key}' cannot be used: {OneLine(e)}; give PEM files with the chain and its key";
        }
    }

    /// <summary>Reads the files again if they have changed.</summary>
    public void Refresh()
    {
        if (_certificate.Length == 0) return;
        WarnIfExpired();
        var stamp = (FileStamp.Of(_certificate), FileStamp.Of(_key));
        if (stamp == _stamp) return;
        _stamp = stamp;
        try
        {
            var context = Load(_certificate, _key, out _);
            _current = new SslServerAuthenticationOptions
            {
                ServerCertificateContext = context,
                EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
                ClientCertificateRequired = false,
                AllowRenegotiation = false,
            };
            _expires = context.TargetCertificate.NotAfter.ToUniversalTime();
            CertificateInstruments.Expires.WithLabels("smtp").Set(new DateTimeOffset(_expires).ToUnixTimeSeconds());
            CertificateTaken(context.TargetCertificate.Subject, _expires);
            WarnIfExpired();
        }
        catch (Exception e) when (IsExpected(e))
        {
            CertificateKept(_certificate, OneLine(e));
        }
    }

    private void WarnIfExpired()
    {
        if (_expires >= _time.GetUtcNow().UtcDateTime) return;
        CertificateExpired(_certificate, _expires);
        // Once.
        _expires = DateTime.MaxValue;
    }

    private static SslStreamCertificateContext Load(string certificate, string key, out X509Certificate2Collection chain)
    {
        var leaf = X509Certificate2.CreateFromPemFile(certificate, key);
        chain = [];
        chain.ImportFromPemFile(certificate);
        // Offline: what is in the file is what clients are sent; nothing is fetched in the middle of a handshake.
        return SslStreamCertificateContext.Create(leaf, chain, offline: true);
    }

    private static bool IsExpected(Exception e) => e is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException or NotSupportedException;

    private static string OneLine(Exception e) => e.Message.ReplaceLineEndings(" ");
}
