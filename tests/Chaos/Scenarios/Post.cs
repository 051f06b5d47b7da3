using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Angarium.Chaos.Accounting;
using Angarium.Chaos.Processes;
using Angarium.Chaos.Traffic;
using Angarium.Integration.Harness;

namespace Angarium.Chaos.Scenarios;

/// <summary>
/// Sends messages of 1 KiB, each once; one that was refused for now, or whose connection ended before its content was sent, is tried once more on another ingress, as a client does, and only what that
/// says is noted. Any thread.
/// </summary>
/// <param name="world">Who sends.</param>
/// <param name="books">Where it is noted.</param>
/// <param name="ingresses">Those that there are now.</param>
internal sealed class Post(World world, Books books, Func<IReadOnlyList<Node>> ingresses)
{
    private static readonly TimeSpan connectPatience = TimeSpan.FromSeconds(10), replyPatience = TimeSpan.FromSeconds(60);
    private static readonly string body = string.Concat(Enumerable.Repeat(new string('k', 76) + "\r\n", 11));
    private static readonly string sum = Message.Sum(Encoding.Latin1.GetBytes(body)).ToString("x16", CultureInfo.InvariantCulture);
    private readonly Books books = books;
    private readonly ConcurrentQueue<string> acknowledged = new();
    private readonly ConcurrentQueue<string> refusals = new();
    private long next, first, unanswered, cuts;

    /// <summary>Recipients.</summary>
    public IReadOnlyCollection<string> Acknowledged => acknowledged;

    /// <summary>What messages were answered that no ingress took.</summary>
    public IReadOnlyCollection<string> Refusals => refusals;

    /// <summary>First attempts that were refused.</summary>
    public long FirstRefusals => Interlocked.Read(ref first);

    /// <summary>Messages whose content was sent and that were never answered.</summary>
    public long Unanswered => Interlocked.Read(ref unanswered);

    /// <summary>Transactions whose MAIL was taken and that then ended with the connection, or with 421.</summary>
    public long Cuts => Interlocked.Read(ref cuts);

    /// <summary>An address that no other message has, at one of the domains.</summary>
    public static string At(long number, string domain) => string.Create(CultureInfo.InvariantCulture, $"r{number}-0@{domain}");

    /// <summary>Domain of a site, both by number.</summary>
    public static string Domain(int site, int domain) => string.Create(CultureInfo.InvariantCulture, $"d{domain}.site{site}.test");

    /// <summary>So many messages as fast as they are taken; their recipients.</summary>
    /// <param name="tenant">Who sends.</param>
    /// <param name="count">How many.</param>
    /// <param name="domain">Of the message with this index.</param>
    /// <param name="sessions">At once.</param>
    public async Task<IReadOnlyList<string>> BulkAsync(string tenant, int count, Func<int, string> domain, int sessions = 32)
    {
        var sent = new string[count];
        var index = -1;
        await Task.WhenAll(Enumerable.Range(0, Math.Min(sessions, count)).Select(async s =>
        {
            using var session = new Session(this, tenant, s);
            while (Interlocked.Increment(ref index) is var i && i < count) sent[i] = await session.SendAsync(domain(i));
        }));
        return sent;
    }

    /// <summary>So many messages a second until cancelled, by all tenants in turn.</summary>
    public async Task FlowAsync(double perSecond, Func<long, string> domain, CancellationToken stop)
    {
        var work = System.Threading.Channels.Channel.CreateBounded<string>(64);
        var sessions = Enumerable.Range(0, 16).Select(async s =>
        {
            using var session = new Session(this, world.Tenants[s % world.Tenants.Count].Tenant, s);
            await foreach (var one in work.Reader.ReadAllAsync(CancellationToken.None)) await session.SendAsync(one);
        }).ToList();
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1 / perSecond));
        try
        {
            for (long i = 0; await timer.WaitForNextTickAsync(stop); i++) work.Writer.TryWrite(domain(i));
        }
        catch (OperationCanceledException)
        {
            // It is over.
        }

        work.Writer.Complete();
        await Task.WhenAll(sessions);
    }

    /// <summary>One connection, opened anew when it broke. One task.</summary>
    private sealed class Session(Post post, string tenant, int choice) : IDisposable
    {
        private readonly string from = post.TenantAddress(tenant);
        private Client? client;
        private Node? ingress;

        public async Task<string> SendAsync(string domain)
        {
            var number = Interlocked.Increment(ref post.next);
            var recipient = At(number, domain);
            var began = DateTimeOffset.UtcNow;
            var (reply, isUnknown) = await TryAsync(number, recipient);
            if (!isUnknown && !reply.StartsWith('2'))
            {
                Interlocked.Increment(ref post.first);
                Drop();
                choice++;
                (reply, isUnknown) = await TryAsync(number, recipient);
            }

            var outcome = isUnknown ? SendOutcome.Unknown : reply.StartsWith('2') ? SendOutcome.Acknowledged : SendOutcome.Refused;
            post.books.Note(new Send(number, tenant, ingress?.Name ?? "", outcome, reply, began, DateTimeOffset.UtcNow, [recipient]));
            if (outcome == SendOutcome.Acknowledged) post.acknowledged.Enqueue(recipient);
            else if (outcome == SendOutcome.Unknown) Interlocked.Increment(ref post.unanswered);
            else post.refusals.Enqueue($"{DateTimeOffset.UtcNow:HH:mm:ss.fff} {ingress?.Name} {reply}");
            if (outcome != SendOutcome.Acknowledged) Drop();
            return recipient;
        }

        public void Dispose() => Drop();

        private void Drop()
        {
            client?.Dispose();
            client = null;
        }

        private async Task<(string Reply, bool IsUnknown)> TryAsync(long number, string recipient)
        {
            var (isOpen, isSent) = (false, false);
            string Ended(string reply)
            {
                if (isOpen && (reply.Length == 0 || reply.StartsWith("421", StringComparison.Ordinal))) Interlocked.Increment(ref post.cuts);
                return reply;
            }

            try
            {
                if (client is null)
                {
                    var all = post.Ingresses();
                    if (all.Count == 0) return ("no ingress", false);
                    ingress = all[choice % all.Count];
                    client = await Client.ConnectAsync(ingress.SmtpPort, ingress.Address, from).WaitAsync(connectPatience);
                    var greeting = await client.ReplyAsync(connectPatience.TotalSeconds);
                    if (!greeting.StartsWith("220", StringComparison.Ordinal)) return (greeting, false);
                    await client.CommandAsync("EHLO client.test").WaitAsync(connectPatience);
                }

                foreach (var command in (string[])[$"MAIL FROM:<b{number}@{World.ReverseDomain}>", $"RCPT TO:<{recipient}>", "DATA"])
                {
                    var reply = await client.CommandAsync(command).WaitAsync(replyPatience);
                    if (reply.Length == 0 || reply[0] is not ('2' or '3')) return (Ended(reply), false);
                    isOpen = true;
                }

                isSent = true;
                await client.SendAsync($"X-Chaos: {number}\r\nX-Sum: {sum}\r\n\r\n{body}.\r\n");
                var answer = Ended(await client.ReplyAsync(replyPatience.TotalSeconds));
                return (answer, answer.Length == 0);
            }
            catch (Exception e) when (e is IOException or SocketException or TimeoutException or OperationCanceledException)
            {
                Drop();
                Ended("");
                return (e.GetType().Name, isSent);
            }
        }
    }

    private Func<IReadOnlyList<Node>> Ingresses { get; } = ingresses;

    private string TenantAddress(string tenant) => world.Tenants.First(t => t.Tenant == tenant).Address;
}
