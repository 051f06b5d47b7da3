using Microsoft.Extensions.Logging;

namespace Angarium.Ingress.Tls;

internal sealed partial class ServerCertificate
{
    [LoggerMessage(3010, LogLevel.Information, "Certificate in use: {Subject}, valid until {NotAfter:u}")]
    private partial void CertificateTaken(string subject, DateTime notAfter);

    [LoggerMessage(3011, LogLevel.Error, "Certificate file {File} cannot be used, the old one stays: {Reason}")]
    private partial void CertificateKept(string file, string reason);
}
