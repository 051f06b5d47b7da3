using System.Net;
using System.Reflection;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Angarium.Contracts.Admin;
using Angarium.Contracts.Configuration;
using Angarium.Contracts.Inbound;
using Angarium.Contracts.Tenants;
using Angarium.Ingress;
using Angarium.Ingress.Content;
using Angarium.Ingress.Inbound;
using Angarium.Ingress.Policy;
using Angarium.Ingress.Sessions;
using Angarium.Ingress.Submission;
using Angarium.Ingress.Tls;
using Angarium.Mail;
using Angarium.Mail.Dkim;
using Angarium.Mail.Status;
using Angarium.Spool.Packs;
using Angarium.TestKit.Dialogs;
using Angarium.TestKit.Peers;
using Microsoft.Extensions.Logging.Abstractions;

namespace Angarium.Protocol.Server;

/// <summary>
/// The real <see cref="SmtpServer"/> over a spool that keeps what it is given, or refuses. It is `mx.example.net`; takes mail for anyone at example.org, for anna and
/// bob+tag at list.example, and from 10.1.0.0/16 (tenant acme) to everywhere. `app@t23456789bcdfghj` with the password `secret` may submit as anyone at tenant.example. Tenant `inbound` takes mail
/// for anna at inbound.example, tenant `other` for anna at inbound-too.example, one that is paused at inbound-paused.example; of inbound-away.example nothing can be told.
/// </summary>
internal sealed class ServerUnderTest : ISpoolWriter, IAdmission, ITenantLogins, IMessageSigner, IInboundRecipients, IDisposable
{
    public static readonly IngressOptions Options = new()
    {
        Hostname = "mx.example.net", TrustedNetworks = ["10.1.0.0/16=acme"],
        Domains = new Dictionary<string, string> { ["example.org"] = "*", ["list.example"] = Path.Combine(AppContext.BaseDirectory, "Server", "list.example.txt") },
    };

    private static readonly Lazy<(string Certificate, string Key)> Pem = new(MakeCertificate);

    private static readonly TenantFacts s_facts = new() { Id = "t23456789bcdfghj", Domains = [new SendingDomain { Name = "tenant.example" }], MaxRecipients = 3 };

    private readonly RelayPolicy _policy;
    private readonly TenantAccount _tenant;

    public ServerUnderTest(IngressOptions options, bool hasTls = false, IScratchFolder? scratch = null, TimeProvider? time = null)
    {
        time ??= TimeProvider.System;
        var settings = new FixedSettings<IngressOptions>(options);
        Budget = new GatherBudget(options.MaxMemory, options.MaxScratch);
        _policy = new RelayPolicy(settings, NullLogger<RelayPolicy>.Instance);
        var certificate = hasTls ? Pem.Value : ("", "");
        _tenant = new TenantAccount(s_facts, "ingress", _ => Task.FromResult(new AdmitAnswer { Messages = IsOverQuota ? 0 : 1, Lasts = TimeSpan.FromSeconds(1), Connections = IsOverQuota ? 0 : 1 }), time);
        Server = new SmtpServer(settings, _policy, new ConnectionRegistry(settings, Budget, time), Budget, scratch ?? new NoScratch(), this, this, new PlainClock(time),
            new ServerCertificate(certificate.Item1, certificate.Item2, NullLogger<ServerCertificate>.Instance), new Submissions(this, new LoginFailures(time), this), this, time, NullLogger<SmtpSession>.Instance);
    }

    public static string Outsider => "192.0.2.1";

    public static string Trusted => "::ffff:10.1.2.3";

    public SmtpServer Server { get; }

    public GatherBudget Budget { get; }

    /// <summary>What the spool answers.</summary>
    public CommitStatus Answer { get; init; }

    /// <summary>What the queues answer to MAIL.</summary>
    public Reply? Refusal { get; init; }

    /// <summary>The tenant has a quota, and has used it up.</summary>
    public bool IsOverQuota { get; init; }

    /// <summary>What the tenant's clients logged in with is taken away when a message of theirs is committed.</summary>
    public bool IsRevokedThen { get; init; }

    /// <summary>Sees each message before the spool answers.</summary>
    public Func<NewMessage, Task>? OnCommit { get; init; }

    /// <summary>What was committed, one line each: `[FLAGS] FROM TO,… CONTENT`.</summary>
    public List<string> Committed { get; } = [];

    /// <summary>The trace fields of what was committed, unfolded.</summary>
    public List<string> Traces { get; } = [];

    public static MessageId Id { get; } = new(new RecipientKey(1, 2, 3));

    /// <summary>Options with one setting, named as operators name it, changed.</summary>
    public static IngressOptions With(IngressOptions options, string name, string value)
    {
        var property = typeof(IngressOptions).GetProperties().Single(each => each.GetCustomAttribute<SettingAttribute>()?.Name == name);
        var copy = options with { };
        property.SetValue(copy, property.PropertyType == typeof(TimeSpan) ? TimeSpan.FromSeconds(int.Parse(value)) : Convert.ChangeType(value, property.PropertyType));
        return copy;
    }

    public async Task<CommitReceipt> CommitAsync(NewMessage message, CancellationToken cancellationToken)
    {
        if (OnCommit is not null) await OnCommit(message);
        if (IsRevokedThen) _tenant.Hear(s_facts with { Version = 1, Revocations = 1 });
        if (Answer == CommitStatus.Committed)
        {
            Committed.Add(Describe(message));
            Traces.Add(Latin1(Encoding.UTF8.GetString(message.Trace.Span)).Replace("\r\n\t", " ", StringComparison.Ordinal));
        }

        return new CommitReceipt(Answer, Id);
    }

    public ValueTask<LoginVerdict> PasswordAsync(string user, string password)
    {
        if (IsOverQuota) _tenant.Hear(s_facts with { Version = 1, IsMetered = true });
        return new(new LoginVerdict(user == "app@t23456789bcdfghj" && password == "secret" ? _tenant : null, user == "unreachable"));
    }

    public ValueTask<LoginSalt?> SaltAsync(string user) => new((LoginSalt?)null);

    public ValueTask<(LoginVerdict Verdict, byte[] Signature)> ProofAsync(string user, string message, byte[] proof) => throw new NotSupportedException("The nonce is drawn: no script can answer it.");

    public ValueTask<LoginVerdict> KeyAsync(string key) => throw new NotSupportedException("Not over SMTP.");

    public ValueTask<InboundVerdict> JudgeAsync(string domain, string mailbox) => new(new InboundVerdict(
        domain switch
        {
            "inbound.example" or "inbound-too.example" => mailbox == "anna" ? new InboundAnswer(InboundStanding.Accepted, domain == "inbound.example" ? "inbound" : "other") : new InboundAnswer(InboundStanding.Unknown, "inbound"),
            "inbound-paused.example" => new InboundAnswer(InboundStanding.Paused, "paused"),
            _ => InboundAnswer.Nobodys,
        },
        domain == "inbound-away.example"));

    public ValueTask<SignedMessage?> SignAsync(TenantAccount account, SendingDomain domain, DkimSignature[] signatures, bool hasReturnPath) => new(new SignedMessage($"Signed-For: {domain.Name}\r\n", null));

    public Task RunAsync(MemoryConnection connection, string client, bool implicitTls = false, Action? abort = null, bool isSubmission = false) => connection.ServeAsync(pipe =>
        Server.RunAsync(pipe, new ConnectionFacts { Remote = new IPEndPoint(IPAddress.Parse(client), 1025), ImplicitTls = implicitTls, IsSubmission = isSubmission, Abort = abort ?? (() => { }) }));

    public void Dispose() => _policy.Dispose();

    private static string Describe(NewMessage message)
    {
        var envelope = message.Envelope;
        var flags = string.Join(' ', new[]
        {
            envelope.Body == BodyType.EightBitMime ? "8bit" : "", envelope.SmtpUtf8 ? "utf8" : "", envelope.Return == DsnReturn.Unspecified ? "" : "ret=" + DsnParameters.Format(envelope.Return),
            envelope.EnvelopeId is { } id ? "envid=" + id : "", envelope.Tenant == "default" ? "" : "tenant=" + envelope.Tenant, envelope.NoticesAllowed ? "notices" : "",
        }.Where(flag => flag.Length > 0));
        var recipients = envelope.Recipients.Select(recipient => recipient.Address
            + (recipient.Notify == DsnNotify.Unspecified ? "" : "{" + DsnParameters.Format(recipient.Notify) + "}") + (recipient.OriginalRecipient is { } original ? "{" + original + "}" : ""));
        return (flags.Length > 0 ? $"[{flags}] " : "") + Latin1($"<{envelope.ReversePath}> {string.Join(',', recipients)} ")
            + (message.Content.Length is 0 or > 500 ? $"({message.ContentLength} octets)" : Encoding.Latin1.GetString(message.Content.Span));
    }

    // As the scripts are read: each octet a character.
    private static string Latin1(string text) => Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text));

    private static (string Certificate, string Key) MakeCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=mx.example.net", key, HashAlgorithmName.SHA256);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));
        var folder = Directory.CreateTempSubdirectory("angarium-protocol-").FullName;
        var (chainFile, keyFile) = (Path.Combine(folder, "chain.pem"), Path.Combine(folder, "key.pem"));
        File.WriteAllText(chainFile, certificate.ExportCertificatePem());
        File.WriteAllText(keyFile, key.ExportPkcs8PrivateKeyPem());
        return (chainFile, keyFile);
    }

    private sealed class NoScratch : IScratchFolder
    {
        public IScratchWriter? TryCreate() => null;
    }
}
