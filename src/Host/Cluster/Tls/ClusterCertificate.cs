using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Angarium.Host.Serving;
using Angarium.Ingress.Files;
using Angarium.Ingress.Tls;
using Microsoft.Extensions.Logging;

namespace Angarium.Host.Cluster.Tls;

/// <summary>
/// The identity of this process in force. Looks at its files every five seconds, since a mounted secret changes by a link that no watch reports reliably: what is good takes over for the connections that are opened from
/// then on, what is bad leaves the old in place and is told once. <see cref="Current"/> may be read by any thread; one timer refreshes. Nothing survives a crash.
/// </summary>
internal sealed partial class ClusterCertificate : IDisposable
{
    public static readonly TimeSpan Every = TimeSpan.FromSeconds(5);

    private readonly ClusterTlsFiles _files;
    private readonly TimeProvider _time;
    private readonly ILogger<ClusterCertificate> _log;
    private readonly ITimer _timer;
    private readonly Lock _refreshing = new();
    private (FileStamp, FileStamp, FileStamp) _stamp;
    private X509Certificate2? _saidExpired;
    private volatile ClusterIdentity _current;

    /// <exception cref="StartException">The files were good when the settings were checked, and are not any more.</exception>
    public ClusterCertificate(ClusterTlsFiles files, TimeProvider time, ILogger<ClusterCertificate> log)
    {
        (_files, _time, _log) = (files, time, log);
        _stamp = Stamp();
        try
        {
            _current = ClusterIdentity.Load(files);
        }
        catch (Exception e) when (ClusterIdentity.IsExpected(e))
        {
            throw new StartException(ClusterIdentity.Mistake(files, accepts: false) ?? $"Cluster:Tls:Certificate: {ClusterIdentity.OneLine(e)}.", e);
        }

        Taken();
        _timer = time.CreateTimer(static self => ((ClusterCertificate)self!).Refresh(), this, Every, Every);
    }

    public ClusterIdentity Current => _current;

    /// <summary>Reads the files again if they have changed.</summary>
    public void Refresh()
    {
        lock (_refreshing)
        {
            WarnIfExpired();
            var stamp = Stamp();
            if (stamp == _stamp) return;
            _stamp = stamp;
            try
            {
                var next = ClusterIdentity.Load(_files);
                if (next.Flaw(_time.GetUtcNow()) is { } flaw && _current.Flaw(_time.GetUtcNow()) is null) throw new CryptographicException(flaw);
                _current = next;
                Taken();
            }
            catch (Exception e) when (ClusterIdentity.IsExpected(e))
            {
                Kept(_log, _files.Certificate, ClusterIdentity.OneLine(e));
            }
        }
    }

    public void Dispose() => _timer.Dispose();

    // Before they are read: files that change under the reading are read again.
    private (FileStamp, FileStamp, FileStamp) Stamp() => (FileStamp.Of(_files.Certificate), FileStamp.Of(_files.Key), FileStamp.Of(_files.Authority));

    private void Taken()
    {
        var certificate = _current.Certificate;
        CertificateInstruments.Expires.WithLabels("cluster").Set(new DateTimeOffset(certificate.NotAfter).ToUnixTimeSeconds());
        InUse(_log, certificate.Subject, certificate.NotAfter.ToUniversalTime(), _current.Authorities.Count);
        // An authority that was taken out is not believed any more, even if that leaves us outside.
        if (!_current.IsOfAuthority()) Outside(_log, certificate.Subject, _files.Authority);
        WarnIfExpired();
    }

    private void WarnIfExpired()
    {
        var certificate = _current.Certificate;
        if (certificate.NotAfter.ToUniversalTime() >= _time.GetUtcNow().UtcDateTime || ReferenceEquals(_saidExpired, certificate)) return;
        _saidExpired = certificate;
        Expired(_log, certificate.Subject, certificate.NotAfter.ToUniversalTime());
    }

    [LoggerMessage(5210, LogLevel.Information, "Certificate of this process in the cluster: {Subject}, valid until {NotAfter:u}; authorities: {Authorities}")]
    private static partial void InUse(ILogger logger, string subject, DateTime notAfter, int authorities);

    [LoggerMessage(5211, LogLevel.Error, "Certificate file {File} of the cluster cannot be used, the old one stays: {Reason}")]
    private static partial void Kept(ILogger logger, string file, string reason);

    [LoggerMessage(5212, LogLevel.Error, "Certificate of this process in the cluster ({Subject}) has expired on {NotAfter:u}: no other process takes a new connection from it; renew it")]
    private static partial void Expired(ILogger logger, string subject, DateTime notAfter);

    [LoggerMessage(5213, LogLevel.Error, "Certificate of this process in the cluster ({Subject}) is not of an authority in {File}: processes with the same authorities take no new connection from it")]
    private static partial void Outside(ILogger logger, string subject, string file);
}
