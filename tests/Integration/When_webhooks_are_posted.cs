using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Angarium.Integration.Harness;
using Angarium.TestKit;

namespace Angarium.Integration;

/// <summary>A tenant's events on their way to receivers over HTTP, from a real relay: signed, complete and in nobody's way.</summary>
public sealed class When_webhooks_are_posted : IAsyncLifetime
{
    private readonly WebhookReceiver receiver = new();
    private Tenancy all = null!;
    private HttpClient key = null!;
    private string tenant = "";

    private Relay Relay => all.Relay;

    private Sink Sink => all.Sink;

    public async ValueTask InitializeAsync()
    {
        all = await Tenancy.StartAsync(new() { ["Egress:Webhooks:AllowPrivate"] = "true", ["Webhooks:Retry"] = "1s", ["Retry:Schedule"] = "1s" });
        var made = await all.VerifiedAsync("acme.test");
        (tenant, key) = (made.Id, all.HttpOf(made.Key));
    }

    public async ValueTask DisposeAsync()
    {
        key.Dispose();
        await all.DisposeAsync();
        receiver.Dispose();
    }

    [Fact]
    public async Task Should_post_every_event_signed_and_as_the_feed_shows_it()
    {
        var once = new System.Collections.Concurrent.ConcurrentDictionary<string, bool>();
        Sink.OnRecipient = to => to.StartsWith("later", StringComparison.Ordinal) && once.TryAdd(to, true) ? "451 4.3.0 later <&> \"soon\"" : to.StartsWith("no", StringComparison.Ordinal) ? "550 5.1.1 not here" : null;
        var (webhook, secret) = await AddAsync(receiver.Url + "?a=b");
        var began = DateTimeOffset.UtcNow;
        await SendAsync("one@elsewhere.test", "later@elsewhere.test", "no@elsewhere.test");
        // accepted ×3, delivered ×2, deferred, failed.
        var feed = await CompleteAsync(7);
        Assert.True(DateTimeOffset.UtcNow - began < TimeSpan.FromSeconds(20), "they came late");
        Assert.Equal(feed.Order(), Events().Order());
        foreach (var post in receiver.All)
        {
            Assert.Equal(("/hook?a=b", webhook, tenant), (post.Path, post.Webhook, post.Json["tenant"]!.GetValue<string>()));
            Assert.Equal((post.Batch, webhook), (post.Json["id"]!.GetValue<string>(), post.Json["webhook"]!.GetValue<string>()));
            Assert.True(post.IsSignedWith(secret));
            Assert.False(post.IsSignedWith(secret + "x"));
            Assert.InRange(long.Parse(post.Timestamp, System.Globalization.CultureInfo.InvariantCulture), began.ToUnixTimeSeconds() - 1, DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 1);
        }

        AssertOrder(feed, Events());
        Assert.Equal(receiver.All.Count, receiver.All.Select(p => p.Batch).Distinct().Count());
        Assert.Equal(receiver.All.Count, await Relay.MetricAsync("angarium_webhook_posts_total", "taken"));

        // The secret lies nowhere in the clear, and a new one takes its place while both sign.
        Assert.DoesNotContain(Directory.GetFiles(Relay.Data, "*", SearchOption.AllDirectories), f => Encoding.UTF8.GetString(Read(f)).Contains(secret, StringComparison.Ordinal));
        var rotated = (await PostAsync($"/{webhook}/rotate"))["secret"]!.GetValue<string>();
        var test = await PostAsync($"/{webhook}/test");
        Assert.True(test["taken"]!.GetValue<bool>());
        Assert.True(receiver.All[^1].IsSignedWith(rotated) && receiver.All[^1].IsSignedWith(secret));
        Assert.Equal("test", receiver.All[^1].Json["events"]![0]!["type"]!.GetValue<string>());
    }

    [Fact]
    public async Task Should_post_the_same_batch_again_until_it_is_taken()
    {
        receiver.Rule = (_, before) => before < 2 ? 500 : 200;
        var (webhook, _) = await AddAsync(receiver.Url);
        await SendAsync("one@elsewhere.test");
        await receiver.UntilAsync(() => Events().Count >= 2, "two events");
        Assert.Equal([500, 500, 200], receiver.All.Take(3).Select(p => p.Answer));
        Assert.Single(receiver.All.Take(3).Select(p => p.Batch).Distinct());
        Assert.Single(receiver.All.Take(3).Select(p => Encoding.UTF8.GetString(p.Body)).Distinct());
        // Each try is signed with its own time.
        Assert.True(receiver.All.Take(3).Select(p => p.Timestamp).Distinct().Count() > 1);
        await SendAsync("two@elsewhere.test");
        Assert.Equal((await CompleteAsync(4)).Order(), Events().Order());
        await UntilAsync(async () => (await ShowAsync(webhook))["status"]!.GetValue<string>() == "ok", "the webhook to be ok");
    }

    [Fact]
    public async Task Should_not_follow_a_redirect()
    {
        using var other = new WebhookReceiver();
        (receiver.Rule, receiver.Location) = ((_, _) => 307, other.Url);
        var (webhook, _) = await AddAsync(receiver.Url);
        await SendAsync("one@elsewhere.test");
        await receiver.UntilAsync(() => receiver.All.Count >= 2, "second try");
        await UntilAsync(async () => await ShowAsync(webhook) is var shown && shown["status"]!.GetValue<string>() == "failing" && shown["lastResult"]!.GetValue<string>() == "status 307", "the redirect to be shown");
        Assert.Empty(other.All);
    }

    [Fact]
    public async Task Should_disable_what_says_that_it_is_gone_and_go_on_when_it_is_enabled()
    {
        receiver.Rule = (_, before) => before == 0 ? 410 : 204;
        var (webhook, _) = await AddAsync(receiver.Url);
        await SendAsync("one@elsewhere.test");
        await UntilAsync(async () => (await ShowAsync(webhook))["disabled"] is not null, "the webhook to be disabled");
        Assert.Contains("status 410", (await ShowAsync(webhook))["disabled"]!["reason"]!.GetValue<string>(), StringComparison.Ordinal);
        await Relay.Process!.LineAsync(l => l.Contains(webhook, StringComparison.Ordinal) && l.Contains("disabled", StringComparison.Ordinal), TimeSpan.FromSeconds(10), "line in the log");
        var audit = (await Tenancy.GetAsync(key, $"/v1/tenants/{tenant}/audit"))["items"]!.AsArray()[0]!;
        Assert.Equal(("disableWebhook", webhook, "system"), (audit["action"]!.GetValue<string>(), audit["target"]!.GetValue<string>(), audit["actor"]!.GetValue<string>()));
        await SendAsync("two@elsewhere.test");
        await Sink.CountAsync(2);
        Assert.Single(receiver.All);
        await PostAsync($"/{webhook}/enable");
        Assert.Equal((await CompleteAsync(4)).Order(), Events().Order());
    }

    [Fact]
    public async Task Should_reach_nothing_private_unless_it_is_allowed()
    {
        await Relay.StopAsync();
        Relay.Set("Egress:Webhooks:AllowPrivate", "false");
        await Relay.StartAsync();
        using var refused = await key.PostAsJsonAsync(new Uri($"/v1/tenants/{tenant}/webhooks", UriKind.Relative), new { url = receiver.Url });
        Assert.Equal(HttpStatusCode.UnprocessableEntity, refused.StatusCode);
        foreach (var host in new[] { "127.0.0.1", "[::1]", "2130706433", "169.254.169.254", "10.0.0.1" })
        {
            var (webhook, _) = await AddAsync($"https://{host}:{receiver.Port}/");
            var test = await PostAsync($"/{webhook}/test");
            Assert.Equal((false, "the address of its host is not public"), (test["taken"]!.GetValue<bool>(), test["detail"]!.GetValue<string>()));
            using var removed = await key.DeleteAsync(new Uri($"/v1/tenants/{tenant}/webhooks/{webhook}", UriKind.Relative));
            Assert.Equal(HttpStatusCode.NoContent, removed.StatusCode);
        }

        Assert.Empty(receiver.All);
    }

    [Fact]
    public async Task Should_lose_nothing_when_it_is_killed()
    {
        var (_, secret) = await AddAsync(receiver.Url);
        var random = new Random(6);
        // Some are refused, so that batches wait for their next try when it dies.
        receiver.Rule = (_, _) => random.Next(4) == 0 ? 503 : 204;
        for (var kill = 0; kill < 5; kill++)
        {
            for (var i = 0; i < 20; i++) await SendAsync($"r{kill}-{i}@elsewhere.test");
            // Not a wait for something: the kill comes at any moment.
            await Task.Delay(random.Next(0, 2_000));
            await Relay.KillAsync();
            await Relay.StartAsync();
        }

        var feed = await CompleteAsync(200, 150);
        Assert.All(receiver.All, p => Assert.True(p.IsSignedWith(secret)));
        AssertOrder(feed, [.. Events().Distinct()]);
        TestContext.Current.TestOutputHelper?.WriteLine($"{Events().Count} events taken, {Events().Count - feed.Count} of them again");
    }

    /// <summary>Nobody waits for those that never answer: not the mail, not other webhooks.</summary>
    [Fact]
    public async Task Should_not_be_held_up_by_what_never_answers()
    {
        using var dead = new WebhookReceiver { Rule = (_, _) => WebhookReceiver.Silence };
        for (var i = 0; i < 8; i++) await AddAsync($"{dead.Url}/{i}");
        await AddAsync(receiver.Url);
        for (var i = 0; i < 5; i++)
        {
            var began = System.Diagnostics.Stopwatch.GetTimestamp();
            var before = Events().Count;
            await SendAsync($"r{i}@elsewhere.test");
            await Sink.CountAsync(i + 1);
            var mail = System.Diagnostics.Stopwatch.GetElapsedTime(began);
            await receiver.UntilAsync(() => Events().Count >= before + 2, "events while others hang", 30);
            var posted = System.Diagnostics.Stopwatch.GetElapsedTime(began);
            TestContext.Current.TestOutputHelper?.WriteLine($"delivered after {mail.TotalMilliseconds:0} ms, posted after {posted.TotalMilliseconds:0} ms");
            Assert.True(mail < TimeSpan.FromSeconds(5), $"the mail took {mail}");
        }

        Assert.NotEmpty(dead.All);
        Assert.Empty(dead.Taken);
    }

    /// <summary>What docs/webhooks.md tells receivers to do, done: with openssl and with Python.</summary>
    [Fact]
    public async Task Should_be_verified_by_what_the_docs_say()
    {
        var (webhook, secret) = await AddAsync(receiver.Url);
        await PostAsync($"/{webhook}/test");
        var post = receiver.All[^1];
        var folder = Relay.Folder;
        var page = await File.ReadAllTextAsync(Repository.Path("docs", "webhooks.md"));
        await File.WriteAllBytesAsync(Path.Combine(folder, "body.json"), post.Body);
        var shell = Block(page, "sh", "openssl dgst");
        var python = Block(page, "python", "def verify");
        foreach (var (given, isGood) in new[] { (secret, true), (secret + "x", false) })
        {
            var environment = new Dictionary<string, string> { ["SECRET"] = given, ["TIMESTAMP"] = post.Timestamp, ["SIGNATURE"] = post.Signature };
            var (_, output) = await Child.RunAsync("bash", ["-c", $"cd {folder}\n{shell}"], TimeSpan.FromSeconds(30), environment: environment);
            Assert.Equal(isGood ? "genuine" : "forged", output.Trim());
            await File.WriteAllTextAsync(Path.Combine(folder, "check.py"), python + """

                import os
                headers = {"Angarium-Timestamp": os.environ["TIMESTAMP"], "Angarium-Signature": os.environ["SIGNATURE"]}
                print("genuine" if verify([os.environ["SECRET"]], headers, open("body.json", "rb").read()) else "forged")
                """);
            (_, output) = await Child.RunAsync("bash", ["-c", $"cd {folder}\npython3 check.py"], TimeSpan.FromSeconds(30), environment: environment);
            Assert.Equal(isGood ? "genuine" : "forged", output.Trim());
        }
    }

    [Fact]
    public async Task Should_be_looked_after_from_the_command_line()
    {
        var added = await CommandAsync("add", tenant, receiver.Url, "--events", "delivered,failed");
        var webhook = added.Split('\n')[0].Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];
        Assert.Contains("whsec_", added, StringComparison.Ordinal);
        Assert.Contains("status 204", await CommandAsync("test", tenant, webhook), StringComparison.Ordinal);
        Assert.Contains("delivered,failed", await CommandAsync("list", tenant), StringComparison.Ordinal);
        Assert.Contains("whsec_", await CommandAsync("rotate", tenant, webhook), StringComparison.Ordinal);
        await CommandAsync("change", tenant, webhook, "--events", "all");
        Assert.Empty((await ShowAsync(webhook))["events"]!.AsArray());
        await CommandAsync("enable", tenant, webhook);
        await CommandAsync("remove", tenant, webhook);
        Assert.DoesNotContain(webhook, await CommandAsync("list", tenant), StringComparison.Ordinal);

        async Task<string> CommandAsync(params string[] words)
        {
            var (code, output) = await Child.RunAsync(Harness.Relay.Executable, ["webhook", .. words, "--api", $"http://127.0.0.1:{Relay.HttpPort}", "--key", key.DefaultRequestHeaders.Authorization!.Parameter!], TimeSpan.FromSeconds(60));
            Assert.True(code == 0, output);
            return output;
        }
    }

    private static string Block(string page, string language, string with) => page.Split($"```{language}\n").Skip(1).Select(part => part.Split("```")[0]).First(block => block.Contains(with, StringComparison.Ordinal));

    private static byte[] Read(string file)
    {
        try
        {
            return File.ReadAllBytes(file);
        }
        catch (IOException)
        {
            return [];
        }
    }

    private static void AssertOrder(List<string> feed, List<string> got)
    {
        static IEnumerable<(string Recipient, string Id)> Of(IEnumerable<string> events) => events.Select(e => JsonNode.Parse(e)!).Select(e => (e["recipientId"]!.GetValue<string>(), e["id"]!.GetValue<string>()));
        var wanted = Of(feed).ToLookup(e => e.Recipient, e => e.Id);
        foreach (var one in Of(got).GroupBy(e => e.Recipient, e => e.Id)) Assert.Equal(wanted[one.Key], one);
    }

    /// <summary>The feed, once it has so many events and each of them was taken, and nothing else.</summary>
    private async Task<List<string>> CompleteAsync(int least, double seconds = 60)
    {
        var feed = new List<string>();
        await UntilAsync(async () => (feed = await FeedAsync()).Count >= least && feed.ToHashSet().SetEquals(Events()), $"{least} events that the feed and the receiver agree on", seconds);
        return feed;
    }

    /// <summary>Every event that was taken, as it came.</summary>
    private List<string> Events() => [.. receiver.Taken.SelectMany(p => p.Events).Select(e => e.Text)];

    private async Task<(string Id, string Secret)> AddAsync(string url)
    {
        using var added = await key.PostAsJsonAsync(new Uri($"/v1/tenants/{tenant}/webhooks", UriKind.Relative), new { url });
        var answer = JsonNode.Parse(await added.Content.ReadAsStringAsync())!;
        Assert.True(added.StatusCode == HttpStatusCode.Created, answer.ToJsonString());
        return (answer["webhook"]!["id"]!.GetValue<string>(), answer["secret"]!.GetValue<string>());
    }

    private async Task<JsonNode> PostAsync(string path)
    {
        using var response = await key.PostAsync(new Uri($"/v1/tenants/{tenant}/webhooks{path}", UriKind.Relative), null);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        return JsonNode.Parse(text)!;
    }

    private async Task<JsonNode> ShowAsync(string webhook) => JsonNode.Parse(await key.GetStringAsync(new Uri($"/v1/tenants/{tenant}/webhooks/{webhook}", UriKind.Relative)))!;

    private async Task SendAsync(params string[] to)
    {
        using var sent = await key.PostAsJsonAsync(new Uri("/v1/messages", UriKind.Relative), new { from = new { email = "me@acme.test" }, to = to.Select(email => new { email }), text = "x" });
        Assert.True(sent.StatusCode == HttpStatusCode.Accepted, await sent.Content.ReadAsStringAsync());
    }

    /// <summary>Every event of the feed, as it stands there.</summary>
    private async Task<List<string>> FeedAsync()
    {
        var options = new System.Text.Json.JsonSerializerOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        var (events, cursor) = (new List<string>(), "");
        while (true)
        {
            var page = JsonNode.Parse(await key.GetStringAsync(new Uri("/v1/events?limit=1000" + cursor, UriKind.Relative)))!;
            events.AddRange(page["events"]!.AsArray().Select(e => e!.ToJsonString(options)));
            if (page["more"]?.GetValue<bool>() != true) return events;
            cursor = "&cursor=" + page["cursor"]!.GetValue<string>();
        }
    }

    private static async Task UntilAsync(Func<Task<bool>> isSo, string what, double seconds = 60)
    {
        var began = System.Diagnostics.Stopwatch.GetTimestamp();
        while (!await isSo())
        {
            Assert.True(System.Diagnostics.Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(seconds), $"no {what} within {seconds} s");
            await Task.Delay(100);
        }
    }
}
