using System.IO.Pipelines;
using System.Net;
using System.Text;
using Angarium.Contracts.Configuration;
using Angarium.Contracts.Inbound;
using Angarium.Ingress;
using Angarium.Ingress.Content;
using Angarium.Ingress.Inbound;
using Angarium.Ingress.Policy;
using Angarium.Ingress.Sessions;
using Angarium.Ingress.Submission;
using Angarium.Ingress.Tls;
using Angarium.Mail;
using Angarium.Spool.Packs;
using Angarium.Spool.Time;
using Microsoft.Extensions.Logging.Abstractions;

namespace Angarium.Unit.Ingress;

/// <summary>Whole sessions over in-memory pipes against a spool that answers what the test says.</summary>
public sealed class SmtpSessionTests
{
    private const string Greeting = "EHLO client.example\r\n";
    private const string Transaction = "MAIL FROM:<a@client.example>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n";

    [Fact]
    public async Task Data_Committed_Answers250WithTheId()
    {
        var run = await RunAsync("192.0.2.1", Greeting, Transaction, "Subject: x\r\n\r\n..dot\r\n.\r\n", "QUIT\r\n");
        Assert.Contains("354 ", run.Replies);
        Assert.Contains($"250 2.0.0 Ok: queued as {run.Spool.Id}\r\n", run.Replies);
        var message = Assert.Single(run.Spool.Messages);
        Assert.Equal("Subject: x\r\n\r\n.dot\r\n", message.Content);
        Assert.Equal("example.org", message.Domain);
        Assert.StartsWith("Received: from client.example", message.Trace);
        Assert.Equal(new string('x', 23), message.Trace.Substring(message.IdOffset, 23));
    }

    [Theory]
    [InlineData(CommitStatus.Unavailable, "451 4.3.0")]
    [InlineData(CommitStatus.Full, "452 4.3.1")]
    public async Task Data_NotCommitted_IsNever250(CommitStatus status, string expected)
    {
        var run = await RunAsync("192.0.2.1", status, Greeting, Transaction, "Subject: x\r\n\r\n.\r\n", "QUIT\r\n");
        Assert.Contains(expected, run.Replies);
        Assert.DoesNotContain("queued as", run.Replies);
    }

    [Theory]
    [InlineData("<x@elsewhere.example>", "554 5.7.1")]
    [InlineData("<x@sub.example.org>", "554 5.7.1")]
    [InlineData("<x@[127.0.0.1]>", "554 5.7.1")]
    [InlineData("<x%elsewhere.example@example.org>", "554 5.7.1")]
    [InlineData("<elsewhere.example!x@example.org>", "554 5.7.1")]
    [InlineData("<\"x@elsewhere.example\"@example.org>", "554 5.7.1")]
    [InlineData("<x@example.org@elsewhere.example>", "501 5.1.3")]
    [InlineData("<x@elsewhere.example@example.org>", "501 5.1.3")]
    [InlineData("<b@EXAMPLE.org>", "250 2.1.5")]
    [InlineData("<postmaster>", "250 2.1.5")]
    public async Task Rcpt_FromAnOutsider_RelaysToConfiguredDomainsOnly(string path, string expected)
    {
        var run = await RunAsync("192.0.2.1", Greeting, $"MAIL FROM:<>\r\nRCPT TO:{path}\r\n", "QUIT\r\n");
        Assert.Contains($"250 2.1.0 Ok\r\n{expected}", run.Replies);
    }

    [Fact]
    public async Task Rcpt_FromATrustedNetwork_RelaysAnywhereForItsTenant()
    {
        var run = await RunAsync("::ffff:10.1.2.3", Greeting, "MAIL FROM:<>\r\nRCPT TO:<x@elsewhere.example>\r\nDATA\r\n", "\r\n.\r\n", "QUIT\r\n");
        var message = Assert.Single(run.Spool.Messages);
        Assert.Equal(("acme", true), (message.Envelope.Tenant, message.Envelope.NoticesAllowed));
    }

    [Theory]
    [InlineData("a\nb\r\n.\r\n")]
    [InlineData("a\r\n.\n")]
    [InlineData("a\n.\r\n")]
    [InlineData("a\r.\r\n")]
    public async Task Data_WithABareCrOrLf_IsRefusedAndTheConnectionCloses(string content)
    {
        var run = await RunAsync("192.0.2.1", Greeting, Transaction, content + "MAIL FROM:<smuggled@x.example>\r\n");
        Assert.EndsWith("550 5.6.0 ", run.Replies[..(run.Replies.LastIndexOf("550 5.6.0 ", StringComparison.Ordinal) + 10)]);
        Assert.Empty(run.Spool.Messages);
    }

    [Theory]
    [InlineData("EHLO x\r\nMAIL FROM:<>\r\n")]
    [InlineData("HELO x\r\nMAIL FROM:<>\r\n")]
    public async Task Command_BehindOneThatMustBeLast_EndsTheSession(string group)
    {
        var run = await RunAsync("192.0.2.1", group);
        Assert.EndsWith("554 5.5.0 Octets sent before it was your turn\r\n", run.Replies);
    }

    [Fact]
    public async Task Bdat_InChunksWithEndOfDataInside_IsOneMessage()
    {
        var run = await RunAsync("192.0.2.1", Greeting, "MAIL FROM:<>\r\nRCPT TO:<b@example.org>\r\nBDAT 9\r\na\r\n.\r\nb\r\nDATA\r\n", "BDAT 3 LAST\r\nc\r\n", "QUIT\r\n");
        Assert.Contains("503 5.5.1", run.Replies);
        Assert.Equal("a\r\n.\r\nb\r\nc\r\n", Assert.Single(run.Spool.Messages).Content);
    }

    private static Task<Run> RunAsync(string client, params string[] turns) => RunAsync(client, CommitStatus.Committed, turns);

    // Each turn is sent when the server waits for more, as a client that keeps to RFC 2920 does.
    private static async Task<Run> RunAsync(string client, CommitStatus status, params string[] turns)
    {
        var options = new IngressOptions
        {
            Hostname = "mx.example.net", TrustedNetworks = ["10.1.0.0/16=acme"], Domains = new Dictionary<string, string> { ["example.org"] = "*" },
        };
        var settings = new FixedSettings<IngressOptions>(options);
        var budget = new GatherBudget(options.MaxMemory, options.MaxScratch);
        using var policy = new RelayPolicy(settings, NullLogger<RelayPolicy>.Instance);
        var spool = new FakeSpool(status);
        var server = new SmtpServer(settings, policy, new ConnectionRegistry(settings, budget, TimeProvider.System), budget, new NoScratch(), spool,
            new Admission([], null), new Clock(), new ServerCertificate("", "", NullLogger<ServerCertificate>.Instance), new Submissions(null!, new LoginFailures(TimeProvider.System), null!), new NoInbound(), TimeProvider.System, NullLogger<SmtpSession>.Instance);
        var toServer = new Pipe();
        var toClient = new Pipe();
        var session = server.RunAsync(new Duplex(toServer.Reader, toClient.Writer), new ConnectionFacts { Remote = new IPEndPoint(IPAddress.Parse(client), 1025) });
        var replies = new StringBuilder();
        foreach (var turn in turns)
        {
            // The server flushes once it has nothing left to read: a flush is its turn's end.
            var read = await toClient.Reader.ReadAsync(TestContext.Current.CancellationToken);
            replies.Append(Encoding.UTF8.GetString(read.Buffer));
            toClient.Reader.AdvanceTo(read.Buffer.End);
            await toServer.Writer.WriteAsync(Encoding.UTF8.GetBytes(turn), TestContext.Current.CancellationToken);
        }

        await toServer.Writer.CompleteAsync();
        await session.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        await toClient.Writer.CompleteAsync();
        while (true)
        {
            var read = await toClient.Reader.ReadAsync(TestContext.Current.CancellationToken);
            replies.Append(Encoding.UTF8.GetString(read.Buffer));
            toClient.Reader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted) break;
        }

        Assert.Equal(0, budget.Memory);
        Assert.Equal(0, server.Registry.Count);
        return new Run(replies.ToString(), spool);
    }

    private sealed record Run(string Replies, FakeSpool Spool);

    private sealed record Stored(Envelope Envelope, string Domain, string Content, string Trace, int IdOffset);

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    private sealed class FakeSpool(CommitStatus status) : ISpoolWriter
    {
        public List<Stored> Messages { get; } = [];

        public MessageId Id { get; } = new(new RecipientKey(1, 2, 3));

        public Task<CommitReceipt> CommitAsync(NewMessage message, CancellationToken cancellationToken)
        {
            if (status == CommitStatus.Committed)
                Messages.Add(new Stored(message.Envelope, message.Domains[0], Encoding.UTF8.GetString(message.Content.Span), Encoding.UTF8.GetString(message.Trace.Span), message.IdOffset));
            return Task.FromResult(new CommitReceipt(status, Id));
        }
    }

    private sealed class NoScratch : IScratchFolder
    {
        public IScratchWriter? TryCreate() => null;
    }

    private sealed class NoInbound : IInboundRecipients
    {
        public ValueTask<InboundVerdict> JudgeAsync(string domain, string mailbox) => new(new InboundVerdict(InboundAnswer.Nobodys, false));
    }

    private sealed class Clock : IStoreClock
    {
        public StoreTime Now => new(1_700_000_000_000);

        public bool IsSettled => true;
    }
}
