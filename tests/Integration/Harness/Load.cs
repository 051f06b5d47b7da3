using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Sockets;

namespace Angarium.Integration.Harness;

/// <summary>
/// Senders that note what was acknowledged: each message has an id of its own, is sent once and never again, whatever the answer. An acknowledgement is a whole 250
/// to the final dot, read before the connection ended.
/// </summary>
internal sealed class Load(int port, int senders, Func<long, string[]> recipients)
{
    private readonly ConcurrentDictionary<string, Acknowledged> acknowledged = new();
    private long next;

    /// <summary>By recipient: every recipient of every message has an address of its own.</summary>
    public IReadOnlyDictionary<string, Acknowledged> Recipients => acknowledged;

    /// <summary>Sends until cancelled; connections that break are opened again.</summary>
    public Task RunAsync(CancellationToken stop) => Task.WhenAll(Enumerable.Range(0, senders).Select(_ => SenderAsync(stop)));

    private async Task SenderAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                using var client = await Client.ConnectAsync(port);
                if (!(await client.ReplyAsync()).StartsWith("220", StringComparison.Ordinal)) continue;
                await client.CommandAsync("EHLO load.test");
                while (!stop.IsCancellationRequested)
                {
                    var number = Interlocked.Increment(ref next);
                    var to = recipients(number);
                    var reply = await client.TransactionAsync("load@sender.test", to, $"Subject: {number}\r\nX-Load: {number}\r\n\r\n{new string('x', 70)}\r\n{new string('y', (int)(number % 40) * 70)}");
                    if (reply.Length == 0) break;
                    if (!reply.StartsWith("250", StringComparison.Ordinal)) continue;
                    var id = reply[^23..];
                    foreach (var recipient in to) acknowledged[recipient] = new Acknowledged(number, id, DateTimeOffset.UtcNow);
                }
            }
            catch (Exception e) when (e is IOException or SocketException)
            {
                // The relay was killed; it is being started again.
                await Task.Yield();
            }
        }
    }

    public static string Address(long number, int of, string domain) => string.Create(CultureInfo.InvariantCulture, $"r{number}-{of}@{domain}");
}

internal sealed record Acknowledged(long Number, string Id, DateTimeOffset At);
