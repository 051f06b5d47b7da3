using System.Net;
using Microsoft.Extensions.Logging;

namespace Angarium.Ingress.Sessions;

internal sealed partial class SmtpSession
{
    private ILogger Log => _server.Log;

    private void MessageAccepted(string id, IPAddress client, string tenant, int recipients, long octets, string tls, long milliseconds) =>
        MessageAccepted(Log, id, client, tenant, recipients, octets, tls, milliseconds);

    private void CommitFailed(Exception exception, IPAddress client) => CommitFailed(Log, exception, client);

    [LoggerMessage(3001, LogLevel.Information, "Accepted {MessageId} from {Client} for {Tenant}: {Recipients} recipients, {Octets} octets, TLS {Tls}, stored in {Milliseconds} ms")]
    private static partial void MessageAccepted(ILogger logger, string messageId, IPAddress client, string tenant, int recipients, long octets, string tls, long milliseconds);

    [LoggerMessage(3002, LogLevel.Error, "A message from {Client} could not be stored and was answered 451")]
    private static partial void CommitFailed(ILogger logger, Exception exception, IPAddress client);
}
