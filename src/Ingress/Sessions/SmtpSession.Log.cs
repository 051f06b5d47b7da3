using System.Net;
using Angarium.Contracts.Configuration;
using Angarium.Spool.Packs;
using Microsoft.Extensions.Logging;

namespace Angarium.Ingress.Sessions;

internal sealed partial class SmtpSession
{
    private ILogger Log => _server.Log;

    private void MessageAccepted(string id, NewMessage message, double seconds)
    {
        if (!Log.IsEnabled(LogLevel.Information)) return;
        var recipients = message.Envelope.Recipients;
        var named = _server.Options.LogRecipients.Of(recipients.Count, i => recipients[i].Address, i => message.Domains[i]);
        MessageAccepted(Log, id, message.Envelope.ReversePath, named, recipients.Count, _facts.Remote.Address, _tls?.Protocol ?? "", message.ContentLength, message.Envelope.Tenant, Math.Round(seconds, 3));
    }

    private void LoginWrong(IPAddress client) => LoginWrong(Log, client);

    private void CommitFailed(Exception exception, IPAddress client) => CommitFailed(Log, exception, client);

    [LoggerMessage(3001, LogLevel.Information, "Accepted message={MessageId} sender={Sender} recipient={Recipient} recipients={Recipients} remote={RemoteHost} reply=\"250\" tls={Tls} octets={Octets} tenant={Tenant} took={Took}s")]
    private static partial void MessageAccepted(ILogger logger, string messageId, string sender, string recipient, int recipients, IPAddress remoteHost, string tls, long octets, string tenant, double took);

    [LoggerMessage(3002, LogLevel.Error, "A message from {Client} could not be stored and was answered 451")]
    private static partial void CommitFailed(ILogger logger, Exception exception, IPAddress client);

    /// <summary>Without the name: people type a password where the name belongs.</summary>
    [LoggerMessage(3003, LogLevel.Information, "A login of {Client} failed")]
    private static partial void LoginWrong(ILogger logger, IPAddress client);
}
