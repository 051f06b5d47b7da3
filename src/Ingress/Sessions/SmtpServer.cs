using System.IO.Pipelines;
using Angarium.Contracts.Admin;
using Angarium.Contracts.Configuration;
using Angarium.Ingress.Content;
using Angarium.Ingress.Inbound;
using Angarium.Ingress.Listening;
using Angarium.Ingress.Policy;
using Angarium.Ingress.Submission;
using Angarium.Ingress.Tls;
using Angarium.Mail.Content;
using Angarium.Mail.Replies;
using Angarium.Spool.Packs;
using Angarium.Spool.Time;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Angarium.Ingress.Sessions;

/// <summary>What all SMTP sessions of a process share, and where each begins. Any thread; one instance a process.</summary>
internal sealed class SmtpServer(
    ISettings<IngressOptions> settings,
    RelayPolicy policy,
    ConnectionRegistry registry,
    GatherBudget budget,
    IScratchFolder scratch,
    ISpoolWriter spool,
    IAdmission admission,
    IStoreClock clock,
    ServerCertificate certificate,
    Submissions submissions,
    IInboundRecipients inbound,
    TimeProvider time,
    ILogger<SmtpSession> log)
{
    private readonly ProxyEntrance _entrance = new(time, log);
    private volatile Derived? _derived;

    public IngressOptions Options => settings.Current;

    public RelayPolicy Policy => policy;

    public ConnectionRegistry Registry => registry;

    public GatherBudget Budget => budget;

    public IScratchFolder Scratch => scratch;

    public ISpoolWriter Spool => spool;

    public IAdmission Admission => admission;

    public IStoreClock Clock => clock;

    public ServerCertificate Certificate => certificate;

    public Submissions Submissions => submissions;

    public IInboundRecipients Inbound => inbound;

    public TimeProvider Time => time;

    public ILogger<SmtpSession> Log => log;

    /// <summary>The limits of content under the settings in force.</summary>
    public ContentLimits ContentLimits => DerivedNow.Limits;

    /// <summary>The reply to EHLO under the settings in force.</summary>
    public byte[] EhloReply(bool offersTls, bool offersAuth) => offersTls ? DerivedNow.EhloWithTls : offersAuth ? DerivedNow.EhloWithAuth : DerivedNow.Ehlo;

    private Derived DerivedNow
    {
        get
        {
            var options = settings.Current;
            var derived = _derived;
            return derived is not null && ReferenceEquals(derived.Options, options) ? derived : _derived = Derived.Of(options);
        }
    }

    /// <summary>Serves one connection to its end. Never throws for what a client does.</summary>
    public async Task RunAsync(IDuplexPipe pipe, ConnectionFacts facts)
    {
        ConnectionWatch? watch = null;
        try
        {
            if (policy.IsProxy(facts.Remote.Address))
            {
                if (await _entrance.PassAsync(pipe.Input, facts, Options.MaxConnections) is not { } passed) return;
                facts = passed;
            }

            // Were a proxy trusted, everyone whom it cannot name would be.
            var standing = facts.IsAnonymous ? ClientStanding.Outsider : policy.Classify(facts.Remote.Address);
            watch = registry.TryAdd(facts.Remote.Address, standing.IsTrusted, facts.Abort, out var refusal);
            if (watch is null)
            {
                IngressInstruments.Rejected(Rejection.Overload).Inc();
                if (facts.ImplicitTls) return;
                ReplyWriter.Write(pipe.Output, refusal!);
                await pipe.Output.FlushAsync();
                return;
            }

            IngressInstruments.Connections.Inc();
            await using var session = new SmtpSession(this, watch, standing, facts, pipe);
            await session.RunAsync();
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ConnectionAbortedException or ConnectionResetException)
        {
            // The client is gone. What it was told 250 for is durable; what it was not, it sends again.
        }
        finally
        {
            if (watch is not null) registry.Remove(watch);
        }
    }

    private sealed record Derived(IngressOptions Options, ContentLimits Limits, byte[] Ehlo, byte[] EhloWithTls, byte[] EhloWithAuth)
    {
        public static Derived Of(IngressOptions options)
        {
            var limits = new ContentLimits { MaxOctets = options.MaxSize, MaxLine = options.MaxTextLine, MaxHeader = options.MaxHeader, MaxHops = options.MaxHops };
            var keywords = $"{options.Hostname}\nPIPELINING\nSIZE {options.MaxSize}\n8BITMIME\nSMTPUTF8\nCHUNKING\nDSN\nENHANCEDSTATUSCODES";
            return new Derived(options, limits, Encode(keywords), Encode(keywords + "\nSTARTTLS"), Encode(keywords + "\nAUTH " + SaslDialog.Mechanisms));

            static byte[] Encode(string text) => ReplyWriter.Encode(new(250, default, text));
        }
    }
}
