using Microsoft.Extensions.Logging;

namespace Angarium.Ingress.Tls;

internal sealed partial class ServerCertificate
{
    [LoggerMessage(3010, LogLevel.Information, "Certificate in use: {Subject}, valid until {NotAfter:u}")]
    private partial void CertificateTaken(string subject, DateTime notAfter);

    [LoggerMessage(3011, LogLevel.Error, "Certificate file {File} cannot be used, the old one stays: {Reason}")]
    private partial void CertificateKept(string file, string reason);

    [LoggerMessage(3012, LogLevel.Warning, "Certificate {File} has expired on {NotAfter:u}: clients that check it send nothing over TLS; renew it")]
    private partial void CertificateExpired(string file, DateTime notAfter);
}
