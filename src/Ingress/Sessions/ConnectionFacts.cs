using System.Net;

namespace Angarium.Ingress.Sessions;

/// <summary>What a session needs to know of the connection that it runs on, and cannot ask a pipe.</summary>
internal sealed record ConnectionFacts
{
    /// <summary>The client, as a proxy in front of us named it if there is one.</summary>
    public required IPEndPoint Remote { get; init; }

    /// <summary>A proxy could not say who it is: <see cref="Remote"/> is the proxy's, which is trusted with nothing for that.</summary>
    public bool IsAnonymous { get; init; }

    /// <summary>TLS from the first octet.</summary>
    public bool ImplicitTls { get; init; }

    /// <summary>Message submission (RFC 6409): who sends must log in.</summary>
    public bool IsSubmission { get; init; }

    /// <summary>Cuts the connection, from any thread.</summary>
    public Action Abort { get; init; } = static () => { };

    /// <summary>How long to go on reading after a reply that ends the session in the middle of the client's octets: closing at once would destroy the reply on its way.</summary>
    public TimeSpan Linger { get; init; }
}
