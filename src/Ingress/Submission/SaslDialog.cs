using System.Net;
using System.Security.Cryptography;
using Angarium.Mail;
using Angarium.Mail.Sasl;
using Angarium.Mail.Status;

namespace Angarium.Ingress.Submission;

/// <summary>What comes next in an exchange: a challenge to send, or its end (who logged in, or why nobody did).</summary>
internal readonly record struct SaslStep(byte[]? Challenge, TenantAccount? Account, Reply? Refusal)
{
    public static SaslStep Ask(ReadOnlySpan<byte> challenge) => new(challenge.ToArray(), null, null);

    public static SaslStep Refuse(Reply reply) => new(null, null, reply);

    public static SaslStep Of(LoginVerdict verdict) => verdict.IsUnreachable ? Refuse(SaslDialog.Unreachable) : verdict.Account is { } account ? new(null, account, null) : Refuse(SaslDialog.Wrong);
}

/// <summary>
/// The server's side of one AUTH (RFC 4954) in PLAIN (RFC 4616), LOGIN (which has no RFC) or SCRAM-SHA-256 (RFC 7677). Passwords stay in it for as long as it lasts. One per AUTH, on the
/// session's task; what a client sends makes a refusal, never an exception.
/// </summary>
internal sealed class SaslDialog(ITenantLogins logins)
{
    /// <summary>In the order in which they are announced.</summary>
    public const string Mechanisms = "SCRAM-SHA-256 PLAIN LOGIN";

    public static readonly Reply Wrong = new(535, new EnhancedStatus(5, 7, 8), "Authentication credentials invalid");
    public static readonly Reply Malformed = new(501, MailStatus.InvalidArguments, "That is no response of this mechanism");
    public static readonly Reply Unreachable = new(454, new EnhancedStatus(4, 7, 0), "Cannot check credentials now, try again later");
    public static readonly Reply UnknownMechanism = new(504, MailStatus.InvalidArguments, "Mechanism not offered");

    private Func<byte[], ValueTask<SaslStep>> _next = static _ => throw new InvalidOperationException("The exchange has not begun.");
    private string _user = "";
    private ScramExchange? _scram;
    private TenantAccount? _proven;

    public async ValueTask<SaslStep> BeginAsync(string mechanism, byte[]? initial)
    {
        switch (mechanism)
        {
            case "PLAIN":
                _next = PlainAsync;
                return initial is null ? SaslStep.Ask([]) : await PlainAsync(initial);
            case "LOGIN":
                _next = NameAsync;
                return initial is null ? SaslStep.Ask("Username:"u8) : await NameAsync(initial);
            case "SCRAM-SHA-256":
                _next = FirstAsync;
                return initial is null ? SaslStep.Ask([]) : await FirstAsync(initial);
            default:
                return SaslStep.Refuse(UnknownMechanism);
        }
    }

    /// <summary>The client's answer to the last challenge.</summary>
    public ValueTask<SaslStep> NextAsync(byte[] response) => _next(response);

    private async ValueTask<SaslStep> PlainAsync(byte[] message) =>
        PlainResponse.Parse(message) is { } plain ? SaslStep.Of(await logins.PasswordAsync(plain.User, plain.Password)) : SaslStep.Refuse(Malformed);

    private ValueTask<SaslStep> NameAsync(byte[] response)
    {
        _next = PasswordAsync;
        return new(PlainResponse.TryPart(response, out _user) ? SaslStep.Ask("Password:"u8) : SaslStep.Refuse(Malformed));
    }

    private async ValueTask<SaslStep> PasswordAsync(byte[] response) =>
        PlainResponse.TryPart(response, out var password) ? SaslStep.Of(await logins.PasswordAsync(_user, password)) : SaslStep.Refuse(Malformed);

    private async ValueTask<SaslStep> FirstAsync(byte[] message)
    {
        _scram = new ScramExchange();
        if (!_scram.TakeFirst(message)) return SaslStep.Refuse(Malformed);
        if (await logins.SaltAsync(_scram.User) is not { } salt) return SaslStep.Refuse(Unreachable);
        _next = FinalAsync;
        var nonce = Convert.ToBase64String(RandomNumberGenerator.GetBytes(18));
        return SaslStep.Ask(System.Text.Encoding.ASCII.GetBytes(_scram.Challenge(nonce, salt.Salt, salt.Iterations)));
    }

    private async ValueTask<SaslStep> FinalAsync(byte[] message)
    {
        if (!_scram!.TakeFinal(message)) return SaslStep.Refuse(Malformed);
        var (verdict, signature) = await logins.ProofAsync(_scram.User, _scram.AuthMessage, _scram.Proof);
        if (verdict.Account is null) return SaslStep.Of(verdict);
        _proven = verdict.Account;
        _next = ConfirmAsync;
        // RFC 4954 §4: success carries no data, so what proves us to the client is one more challenge, with an empty answer.
        return SaslStep.Ask(System.Text.Encoding.ASCII.GetBytes(ScramExchange.Final(signature)));
    }

    private ValueTask<SaslStep> ConfirmAsync(byte[] response) => new(response.Length == 0 ? new SaslStep(null, _proven, null) : SaslStep.Refuse(Malformed));
}
