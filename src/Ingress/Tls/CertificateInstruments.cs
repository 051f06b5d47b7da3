using Prometheus;

namespace Angarium.Ingress.Tls;

/// <summary>When the certificates of this process expire. Any thread.</summary>
public static class CertificateInstruments
{
    public static readonly Gauge Expires = Metrics.CreateGauge(
        "angarium_certificate_expires_seconds", "When the certificate in force expires, in seconds of Unix time, by use: smtp (`Tls:Certificate`), cluster (`Cluster:Tls:Certificate`).", "use");
}
