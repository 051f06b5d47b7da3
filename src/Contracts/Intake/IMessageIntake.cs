using System.Net;
using Angarium.Mail;
using Angarium.Mail.Addresses;

namespace Angarium.Contracts.Intake;

/// <summary>The seam by which messages come in over HTTP: what SMTP submission does to a message, done to one that is there already. Any thread; nothing of it throws but for cancellation.</summary>
public interface IMessageIntake
{
    /// <summary>Whose key it is, if it may send.</summary>
    ValueTask<IntakeLogin> LoginAsync(string key);

    /// <summary>Memory for a message that is arriving, given back by disposing; null = it is taken.</summary>
    IDisposable? TryReserve(long octets);

    /// <summary>Completes once the message is durable, or refused.</summary>
    ValueTask<IntakeAnswer> SubmitAsync(IntakeMessage message);
}

/// <summary>What became of a login. A value.</summary>
/// <param name="Tenant">Null = nobody's that may send.</param>
/// <param name="IsUnreachable">It cannot be told now.</param>
public readonly record struct IntakeLogin(IIntakeTenant? Tenant, bool IsUnreachable);

/// <summary>A tenant that logged in.</summary>
public interface IIntakeTenant
{
    string Id { get; }

    /// <summary>Recipients of one message; 0 = as many as the process takes.</summary>
    int MaxRecipients { get; }
}

/// <summary>A message to take in. A value; its content is not changed until it was answered.</summary>
public sealed record IntakeMessage
{
    public required IIntakeTenant Tenant { get; init; }

    /// <summary>Null = the null reverse-path.</summary>
    public MailAddress? ReversePath { get; init; }

    public required IReadOnlyList<MailAddress> Recipients { get; init; }

    /// <summary>Header section and body, lines ended by CRLF.</summary>
    public required ReadOnlyMemory<byte> Content { get; init; }

    public MessageClass Class { get; init; }

    /// <summary>No attempt before it; null = at once.</summary>
    public DateTimeOffset? NotBefore { get; init; }

    /// <summary>Tags and metadata in JSON (<see cref="Envelope.MaxLabels"/>); null = none.</summary>
    public string? Labels { get; init; }

    /// <summary>Whom it came from.</summary>
    public required IPAddress Client { get; init; }
}

/// <summary>What became of a message. A value.</summary>
/// <param name="Refusal">Null = it is durable.</param>
/// <param name="RetryAfter">With a refusal for now: when again; zero = not known.</param>
/// <param name="Keys">Parallel to the recipients.</param>
public sealed record IntakeAnswer(Reply? Refusal, TimeSpan RetryAfter, RecipientKey[] Keys);
