using Angarium.Mail.Tenants;

namespace Angarium.Mail;

/// <summary>
/// The envelope of a message as accepted (RFC 5321 §2.3.1) with its ESMTP parameters. Immutable; stored in packs with the recipients of one
/// domain. Addresses are in the form in which they go on the wire (local part as received, domain as received).
/// </summary>
public sealed record Envelope
{
    public const int MaxLabels = 2_000;


    /// <summary>Reverse-path without angle brackets; empty = the null reverse-path (RFC 5321 §4.5.5).</summary>
    public required string ReversePath { get; init; }

    /// <summary>BODY= of RFC 6152 (and RFC 3030: never BINARYMIME here, it is not offered).</summary>
    public BodyType Body { get; init; }

    /// <summary>SMTPUTF8 of RFC 6531 was given.</summary>
    public bool SmtpUtf8 { get; init; }

    /// <summary>RET= of RFC 3461 §4.3.</summary>
    public DsnReturn Return { get; init; }

    /// <summary>ENVID= of RFC 3461 §4.4, still in xtext; null = none. At most 100 characters.</summary>
    public string? EnvelopeId { get; init; }

    /// <summary>Who it belongs to; `default` when no tenant was named. At most 64 characters.</summary>
    public string Tenant { get; init; } = "default";

    /// <summary>The lane within the tenant: transactional before bulk.</summary>
    public MessageClass Class { get; init; }

    /// <summary>When it was accepted, on the store's clock.</summary>
    public StoreTime Accepted { get; init; }

    /// <summary>No attempt before this; default = at once.</summary>
    public StoreTime NotBefore { get; init; }

    /// <summary>It came from a trusted network or a credential: a notice may be owed. Strangers' mail never makes one (promise 9).</summary>
    public bool NoticesAllowed { get; init; }

    /// <summary>Each recipient has a return path of its own, in a transaction of its own; null = <see cref="ReversePath"/> for all.</summary>
    public ReturnTag? ReturnTag { get; init; }

    /// <summary>What the sender wants to find it by: tags and metadata, as it was given them, in JSON; null = nothing. At most <see cref="MaxLabels"/> characters.</summary>
    public string? Labels { get; init; }

    /// <summary>The recipients, in the order of their ordinals.</summary>
    public required IReadOnlyList<EnvelopeRecipient> Recipients { get; init; }
}

/// <summary>One RCPT of an <see cref="Envelope"/>.</summary>
/// <param name="Address">Forward-path without angle brackets.</param>
/// <param name="Notify">NOTIFY= of RFC 3461 §4.1; <see cref="DsnNotify.Unspecified"/> = not given.</param>
/// <param name="OriginalRecipient">ORCPT= of RFC 3461 §4.2 as given (`rfc822;xtext`), null = none. At most 500 characters.</param>
public sealed record EnvelopeRecipient(string Address, DsnNotify Notify = DsnNotify.Unspecified, string? OriginalRecipient = null);

/// <summary>BODY= values, RFC 6152 §3. Numbers are stored.</summary>
public enum BodyType : byte { SevenBit = 0, EightBitMime = 1 }

/// <summary>RET= values, RFC 3461 §4.3. Numbers are stored.</summary>
public enum DsnReturn : byte { Unspecified = 0, Full = 1, Headers = 2 }

/// <summary>NOTIFY= values, RFC 3461 §4.1. Numbers are stored.</summary>
[Flags]
public enum DsnNotify : byte { Unspecified = 0, Never = 1, Success = 2, Failure = 4, Delay = 8 }

/// <summary>Lane classes within a tenant, in the order in which they are served. Numbers are stored.</summary>
public enum MessageClass : byte { Transactional = 0, Bulk = 1 }
