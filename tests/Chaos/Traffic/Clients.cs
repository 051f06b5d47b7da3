using System.Net.Sockets;
using System.Threading.Channels;
using Angarium.Chaos.Accounting;
using Angarium.Integration.Harness;

namespace Angarium.Chaos.Traffic;

/// <summary>
/// The senders: many sessions to all ingresses, each from one tenant's address. Every message has a number of its own and is sent once: what was not answered is noted as
/// unknown and never sent again. A session that breaks goes to another ingress. Arrivals of work are in the open: who is slow does not slow the clock, what nobody can take is left out.
/// </summary>
internal sealed class Clients(World world, Books books, IReadOnlyList<(string Name, string Address)> ingresses, int senders)
{
    private static readonly TimeSpan connectPatience = TimeSpan.FromSeconds(4), replyPatience = TimeSpan.FromSeconds(40);
    private readonly Channel<long> work = Channel.CreateBounded<long>(new BoundedChannelOptions(64) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Lock gate = new();
    private readonly List<string> acknowledged = [];
    private long next, counted;

    /// <summary>Recipients acknowledged so far.</summary>
    public long Acknowledged => Interlocked.Read(ref counted);

    public IReadOnlyList<string> AcknowledgedRecipients
    {
        get { lock (gate) return acknowledged.ToArray(); }
    }

    /// <summary>Sends at this rate until cancelled, then waits for the answers that are still to come.</summary>
    public async Task RunAsync(double perSecond, CancellationToken stop)
    {
        var all = Enumerable.Range(0, senders).Select(SenderAsync).ToList();
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        var due = 0.0;
        try
        {
            while (await timer.WaitForNextTickAsync(stop))
            {
                for (due += perSecond / 50; due >= 1; due--) work.Writer.TryWrite(++next);
            }
        }
        catch (OperationCanceledException)
        {
            // The load is over.
        }

        work.Writer.Complete();
        await Task.WhenAll(all);
    }

    private async Task SenderAsync(int index)
    {
        var (tenant, address) = world.Tenants[index % world.Tenants.Count];
        var choice = index;
        Client? client = null;
        await foreach (var number in work.Reader.ReadAllAsync())
        {
            // Nothing was sent yet: the other ingress may have it, once round and no more.
            for (var tries = 0; client is null && tries < ingresses.Count * 2; tries++) client = await ConnectAsync(ingresses[++choice % ingresses.Count].Address, address);
            if (client is null) continue;
            var recipients = world.Recipients(number);
            var began = DateTimeOffset.UtcNow;
            var reply = await TransactionAsync(client, number, recipients);
            var outcome = reply.Length == 0 ? SendOutcome.Unknown : reply.StartsWith("250", StringComparison.Ordinal) ? SendOutcome.Acknowledged : SendOutcome.Refused;
            books.Note(new Send(number, tenant, ingresses[choice % ingresses.Count].Name, outcome, reply, began, DateTimeOffset.UtcNow, recipients));
            if (outcome == SendOutcome.Acknowledged)
            {
                lock (gate) acknowledged.AddRange(recipients);
                Interlocked.Add(ref counted, recipients.Length);
            }

            // A connection for some messages, as senders do; and none that was told to go away.
            if (outcome != SendOutcome.Acknowledged || world.Chance("hang up", number) < 0.05)
            {
                client.Dispose();
                client = null;
            }
        }

        client?.Dispose();
    }

    private static async Task<Client?> ConnectAsync(string ingress, string from)
    {
        Client? client = null;
        try
        {
            client = await Client.ConnectAsync(25, ingress, from).WaitAsync(connectPatience);
            if ((await client.ReplyAsync(connectPatience.TotalSeconds)).StartsWith("220", StringComparison.Ordinal) &&
                (await client.CommandAsync("EHLO client.test").WaitAsync(connectPatience)).StartsWith("250", StringComparison.Ordinal)) return client;
        }
        catch (Exception e) when (e is IOException or SocketException or TimeoutException or OperationCanceledException)
        {
            // Killed, stopped or cut off.
        }

        client?.Dispose();
        return null;
    }

    private async Task<string> TransactionAsync(Client client, long number, string[] recipients)
    {
        try
        {
            return await client.TransactionAsync(world.ReversePath(number), recipients, world.Content(number)[..^2]).WaitAsync(replyPatience);
        }
        catch (Exception e) when (e is IOException or SocketException or TimeoutException or OperationCanceledException)
        {
            return "";
        }
    }
}
