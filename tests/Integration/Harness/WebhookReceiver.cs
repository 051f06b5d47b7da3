using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Angarium.Integration.Harness;

/// <summary>What came with one post, whatever it was answered.</summary>
internal sealed record Posted(string Path, string Webhook, string Batch, string Timestamp, string Signature, byte[] Body, int Answer)
{
    public JsonNode Json { get; } = JsonNode.Parse(Body)!;

    /// <summary>Each event as it stands in the body.</summary>
    public IEnumerable<(string Id, string Text)> Events => Json["events"]!.AsArray().Select(e => (e!["id"]!.GetValue<string>(), e.ToJsonString(s_asWritten)));

    private static readonly System.Text.Json.JsonSerializerOptions s_asWritten = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Which of the signatures is by this secret: written anew here, from what the docs say.</summary>
    public bool IsSignedWith(string secret)
    {
        var signed = Encoding.ASCII.GetBytes(Timestamp + ".").Concat(Body).ToArray();
        return Signature.Split(',').Contains("v1=" + Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), signed)));
    }
}

/// <summary>A receiver of webhooks on loopback, independent of the relay's own code: it answers what the test's rule says, and notes what came before it answers.</summary>
internal sealed class WebhookReceiver : IDisposable
{
    /// <summary>A rule's way to say: never.</summary>
    public const int Silence = 0;

    private readonly HttpListener listener = new();
    private readonly Lock gate = new();
    private readonly List<Posted> all = [];
    private TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public WebhookReceiver()
    {
        Port = Ports.Free();
        listener.Prefixes.Add($"http://127.0.0.1:{Port}/");
        listener.Start();
        _ = AcceptAsync();
    }

    public int Port { get; }

    public string Url => $"http://127.0.0.1:{Port}/hook";

    /// <summary>The status of each answer, by what came and how many came before.</summary>
    public Func<Posted, int, int> Rule { get; set; } = (_, _) => 204;

    public string? Location { get; set; }

    public IReadOnlyList<Posted> All
    {
        get { lock (gate) return [.. all]; }
    }

    /// <summary>Posts that were taken.</summary>
    public IReadOnlyList<Posted> Taken => [.. All.Where(p => p.Answer is >= 200 and < 300)];

    public async Task UntilAsync(Func<bool> isSo, string what, double seconds = 60)
    {
        var began = System.Diagnostics.Stopwatch.GetTimestamp();
        while (true)
        {
            Task next;
            lock (gate) next = changed.Task;
            if (isSo()) return;
            var left = TimeSpan.FromSeconds(seconds) - System.Diagnostics.Stopwatch.GetElapsedTime(began);
            if (left <= TimeSpan.Zero) throw new TimeoutException($"no {what} within {seconds} s; {All.Count} posts came");
            await next.WaitAsync(left).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    public void Dispose() => listener.Close();

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _ = ServeAsync(await listener.GetContextAsync());
        }
        catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(HttpListenerContext context)
    {
        try
        {
            using var body = new MemoryStream();
            await context.Request.InputStream.CopyToAsync(body);
            string Header(string name) => context.Request.Headers[name] ?? "";
            var posted = new Posted(context.Request.Url!.PathAndQuery, Header("Angarium-Webhook-Id"), Header("Angarium-Batch-Id"), Header("Angarium-Timestamp"), Header("Angarium-Signature"), body.ToArray(), 0);
            int answer;
            lock (gate)
            {
                answer = Rule(posted, all.Count);
                all.Add(posted with { Answer = answer });
                var before = changed;
                changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                before.SetResult();
            }

            if (answer == Silence) return;
            context.Response.StatusCode = answer;
            if (Location is not null) context.Response.RedirectLocation = Location;
            context.Response.Close();
        }
        catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or IOException)
        {
            // Whoever posted it is gone.
        }
    }
}
