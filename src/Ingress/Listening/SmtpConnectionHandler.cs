using System.Net;
using Angarium.Ingress.Sessions;
using Microsoft.AspNetCore.Connections;

namespace Angarium.Ingress.Listening;

/// <summary>Hands Kestrel's connections to the server. Any thread; owns nothing.</summary>
internal static class SmtpConnectionHandler
{
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(1);

    public static Task RunAsync(SmtpServer server, ConnectionContext connection, bool implicitTls, bool isSubmission)
    {
        // Without an address there is no telling who it is: a closed socket, or a transport that this role is not meant for.
        if (connection.RemoteEndPoint is not IPEndPoint remote) return Task.CompletedTask;
        return server.RunAsync(connection.Transport, new ConnectionFacts { Remote = remote, ImplicitTls = implicitTls, IsSubmission = isSubmission, Abort = () => Abort(connection), Linger = Linger });
    }

    private static void Abort(ConnectionContext connection) => connection.Abort(new ConnectionAbortedException("the session was ended"));
}
