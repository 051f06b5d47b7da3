using Angarium.Mail;

namespace Angarium.Egress.Sessions;

/// <summary>How far an attempt had come. In order: what is below <see cref="Mail"/> concerns the connection and no message.</summary>
internal enum AttemptStage : byte
{
    Connect,
    Greeting,
    Ehlo,
    Tls,
    Login,
    Mail,
    Rcpt,
    Data,

    /// <summary>Content under way, the final dot not sent.</summary>
    Content,

    /// <summary>The final dot was sent, or may have been.</summary>
    Dot,
}

/// <summary>What went wrong without a reply to go by.</summary>
internal enum AttemptFault : byte
{
    /// <summary>No connection: refused, unreachable.</summary>
    Unreachable,

    /// <summary>The local address that it was to come from cannot be used.</summary>
    NoSource,

    /// <summary>The proxy that it was to go through cannot be used.</summary>
    NoProxy,

    Timeout,

    /// <summary>The peer closed or reset the connection.</summary>
    Cut,

    /// <summary>Bytes that are no reply, a reply without end, or one that nobody asked for.</summary>
    Nonsense,

    /// <summary>The handshake failed, or the certificate was required and not trusted.</summary>
    TlsFailed,

    /// <summary>The lease ended first (design rule 15).</summary>
    LeaseEnded,

    /// <summary>The process ends.</summary>
    Stopping,

    /// <summary>The entry fails its checksum (design rule 13).</summary>
    Corrupt,

    /// <summary>The spool could not be read now.</summary>
    SpoolUnavailable,
}

/// <summary>
/// A connection that came to nothing, or an attempt that ended before its last reply: by a fault, or by a reply after which nothing more may be sent.
/// Its message is ours, short and printable.
/// </summary>
internal sealed class AttemptException : Exception
{
    public AttemptException(AttemptFault fault, string message, Exception? inner = null) : base(message, inner) => Fault = fault;

    public AttemptException(Reply reply) : base(reply.ToString())
    {
        Fault = AttemptFault.Nonsense;
        Reply = reply;
    }

    public AttemptFault Fault { get; }

    /// <summary>The peer's last word; null when there was none.</summary>
    public Reply? Reply { get; }

    public DeliveryVerdict At(AttemptStage stage) => Reply is not null ? DeliveryVerdict.Of(stage, Reply) : DeliveryVerdict.Of(stage, Fault, Message);
}
