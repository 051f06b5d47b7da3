using Angarium.Contracts.DomainQueues;
using Angarium.Mail;

namespace Angarium.Egress.Sessions;

/// <summary>What an outcome speaks of, narrow to wide.</summary>
internal enum VerdictScope : byte
{
    Recipient,

    /// <summary>All recipients of the transaction that are not yet judged.</summary>
    Message,

    /// <summary>This host, now: the session ends, and the site hears that the peer wants less.</summary>
    Host,

    /// <summary>No host of the destination: the site is suspended, and no message is touched.</summary>
    Site,
}

/// <summary>
/// The one place where (stage, reply or fault) becomes an outcome. Pure; a value. What a peer says is judged by the first digit of its code alone
/// (RFC 5321 §4.2.1: a client must do so for codes that it does not know), with the exceptions named here.
/// </summary>
/// <param name="EndsSession">Nothing more is sent on this connection.</param>
/// <param name="IsDamaged">The stored message fails its checksum: an alarm (design rule 13).</param>
/// <param name="NextTransaction">The receiver takes no more recipients in this transaction: they have one of their own.</param>
internal readonly record struct DeliveryVerdict(
    OutcomeKind Kind, VerdictScope Scope, Reply Reply, bool Own = false, bool PossibleDuplicate = false, bool EndsSession = false, bool NextTransaction = false, bool IsDamaged = false)
{
    /// <param name="othersAccepted">Rcpt: a recipient of this transaction was accepted before.</param>
    public static DeliveryVerdict Of(AttemptStage stage, Reply reply, bool othersAccepted = false)
    {
        if (stage < AttemptStage.Mail) return new(OutcomeKind.Deferred, VerdictScope.Host, reply, EndsSession: true);
        // RFC 5321 §3.8, §4.2.3: 421 may answer any command; the peer closes.
        if (reply.Code == 421) return new(OutcomeKind.Deferred, VerdictScope.Host, reply, EndsSession: true);

        var scope = stage == AttemptStage.Rcpt ? VerdictScope.Recipient : VerdictScope.Message;
        if (stage == AttemptStage.Rcpt && IsTooManyRecipients(reply)) return new(OutcomeKind.Deferred, scope, reply, NextTransaction: othersAccepted);
        if (reply.IsTransient) return new(OutcomeKind.Deferred, scope, reply);
        if (reply.IsPermanent) return new(OutcomeKind.Failed, scope, reply);
        if (stage == AttemptStage.Dot && reply.IsPositive) return new(OutcomeKind.Delivered, scope, reply);

        // 1yz, 3yz or 2yz where none can be: the two sides no longer speak of the same command.
        return new(OutcomeKind.Deferred, VerdictScope.Message, new Reply(451, new(4, 5, 0), $"unexpected reply to {Name(stage)}: {reply}"), Own: true,
            PossibleDuplicate: stage == AttemptStage.Dot, EndsSession: true);
    }

    public static DeliveryVerdict Of(AttemptStage stage, AttemptFault fault, string detail)
    {
        switch (fault)
        {
            case AttemptFault.Corrupt:
                return new(OutcomeKind.Deferred, VerdictScope.Message, new Reply(451, new(4, 3, 0), "the stored message fails its checksum here"), Own: true, EndsSession: stage >= AttemptStage.Data, IsDamaged: true);
            case AttemptFault.SpoolUnavailable:
                return new(OutcomeKind.Deferred, VerdictScope.Message, new Reply(451, new(4, 3, 0), "the stored message could not be read here"), Own: true, EndsSession: stage >= AttemptStage.Data);
        }

        var reply = new Reply(451, new(4, 4, (ushort)(stage == AttemptStage.Connect ? 1 : 2)), $"{detail} ({Name(stage)})");
        if (fault == AttemptFault.TlsFailed) reply = reply with { Status = new(4, 7, 5) };
        if (fault == AttemptFault.Nonsense) reply = reply with { Status = new(4, 5, 0) };
        if (stage < AttemptStage.Mail) return new(OutcomeKind.Deferred, VerdictScope.Host, reply, Own: true, EndsSession: true);

        // Nobody knows whether the receiver has it: once more, counted, and the site is not to blame.
        if (stage == AttemptStage.Dot) return new(OutcomeKind.Deferred, VerdictScope.Message, reply, Own: true, PossibleDuplicate: true, EndsSession: true);
        return fault is AttemptFault.LeaseEnded or AttemptFault.Stopping
            ? new(OutcomeKind.Returned, VerdictScope.Message, reply, Own: true, EndsSession: true)
            : new(OutcomeKind.Deferred, VerdictScope.Host, reply, Own: true, EndsSession: true);
    }

    /// <summary>
    /// A session that has carried a message may be told to end, or be cut, at any time: a transaction that met this at its MAIL was not tried.
    /// Only then: on a fresh session the message itself may be the reason, and must count an attempt.
    /// </summary>
    public DeliveryVerdict OnReusedSession(AttemptStage stage) =>
        stage == AttemptStage.Mail && EndsSession && Scope == VerdictScope.Host ? this with { Kind = OutcomeKind.Returned } : this;

    /// <summary>The last host of a destination failed like this.</summary>
    public DeliveryVerdict OfLastHost() => this with { Scope = VerdictScope.Site };

    /// <summary>What this peer cannot take, known before anything is sent (nothing is converted).</summary>
    public static DeliveryVerdict Unfit(VerdictScope scope, ushort subject, ushort detail, string text) =>
        new(OutcomeKind.Failed, scope, new Reply(subject == 3 ? 552 : 554, new(5, subject, detail), text), Own: true);

    // RFC 5321 §4.5.3.1.10: 452, or 552 of older receivers, says "too many recipients". With 5.2.2 a 552 says that a mailbox is full.
    private static bool IsTooManyRecipients(Reply reply) =>
        (reply.Code == 452 || reply.Code == 552) && (reply.Status.IsNone || reply.Status is { Subject: 5, Detail: 3 });

    private static string Name(AttemptStage stage) => stage switch
    {
        AttemptStage.Connect => "connecting",
        AttemptStage.Greeting => "greeting",
        AttemptStage.Ehlo => "EHLO",
        AttemptStage.Tls => "STARTTLS",
        AttemptStage.Login => "AUTH",
        AttemptStage.Mail => "MAIL",
        AttemptStage.Rcpt => "RCPT",
        AttemptStage.Data => "DATA",
        AttemptStage.Content => "content",
        _ => "the final dot",
    };
}
