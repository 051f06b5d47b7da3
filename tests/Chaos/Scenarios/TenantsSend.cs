using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Angarium.Chaos.Processes;

namespace Angarium.Chaos.Scenarios;

/// <summary>A tenant is onboarded by the API of a cluster with three ingress processes; its quota holds over all of them, and its events are told whatever is killed.</summary>
public sealed class TenantsSend : Scenario
{
    private const int Senders = 40, BoundSeconds = 15;
    private const string Domain = "tenant.test";

    private static readonly string s_secrets = Directory.CreateTempSubdirectory("angarium-tenants-").FullName;
    private static readonly string s_administrator = Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(24));

    internal override Shape Shape => new(3, 3, 2);

    internal override Tuning Tuning => new()
    {
        Settings = role => role switch
        {
            "ingress" => new Dictionary<string, string> { ["Http:Listen"] = $"0.0.0.0:{ApiCalls.Port}" },
            "api" => new Dictionary<string, string> { ["Http:Listen"] = $"0.0.0.0:{ApiCalls.Port}", ["Api:AdministratorKey"] = Secret("administrator", s_administrator), ["Api:RequestsPerSecond"] = "1000" },
            "grains" => new Dictionary<string, string>
            {
                ["Keys:Master"] = Secret("master", Convert.ToBase64String(new byte[31].Append((byte)1).ToArray())), ["Egress:Webhooks:AllowPrivate"] = "true", ["Webhooks:Retry"] = "5s",
            },
            "egress" => new Dictionary<string, string> { ["Egress:Webhooks:AllowPrivate"] = "true" },
            _ => new Dictionary<string, string>(),
        },
    };

    internal override IReadOnlyDictionary<string, string> Settings(bool isFull) => new Dictionary<string, string> { ["Retry:Schedule"] = "10s" };

    internal override async Task RunAsync(Stage stage)
    {
        using var administrator = Client(stage, s_administrator);
        var (tenant, key) = ("", "");
        await stage.StepAsync("Should_onboard_with_one_call_and_the_records_of_its_answer", async () =>
        {
            (tenant, key) = await ApiCalls.OnboardAsync(stage, administrator, Domain);
            return $"{tenant} may send as {Domain}";
        });
        await stage.StepAsync("Should_hold_the_quota_over_all_ingress_processes", () => QuotaAsync(stage, administrator, tenant, key));
        await stage.StepAsync("Should_tell_every_event_although_processes_are_killed", () => EventsAsync(stage, administrator, tenant, key));
    }

    private static async Task<string> QuotaAsync(Stage stage, HttpClient administrator, string tenant, string key)
    {
        // So few that a slow machine with other scenarios beside this one can send more.
        var perSecond = stage.IsFull ? 100 : 30;
        await ApiCalls.OrderAsync(administrator, HttpMethod.Patch, $"/v1/tenants/{tenant}", new { quota = new { perSecond } }, HttpStatusCode.OK);
        // Between the two it was admitted.
        var taken = new ConcurrentQueue<(DateTimeOffset Asked, DateTimeOffset Answered)>();
        var refused = 0;
        // Each ingress hears of the quota with its next heartbeat at the latest.
        using var over = new CancellationTokenSource(TimeSpan.FromSeconds(stage.IsFull ? 70 : 120));
        var begin = DateTimeOffset.UtcNow;
        // Senders that wait for a slow machine ask for nothing: where no one is refused within a second, the quota is not what holds them back. So many such seconds are looked at.
        var bound = new ConcurrentDictionary<int, byte>();
        var ingresses = stage.Cluster.With("ingress");
        await Task.WhenAll(Enumerable.Range(0, Senders).Select(async sender =>
        {
            using var client = ApiCalls.Client(ingresses[sender % ingresses.Count], key);
            var random = new Random(sender);
            for (var i = 0; !over.IsCancellationRequested; i++)
            {
                var asked = DateTimeOffset.UtcNow;
                using var sent = await client.PostAsJsonAsync(ApiCalls.At("/v1/messages"), Letter($"q{sender}-{i}@{Post.Domain(1 + (i % 9), i % 20)}"));
                if (sent.StatusCode == HttpStatusCode.Accepted)
                {
                    taken.Enqueue((asked, DateTimeOffset.UtcNow));
                    continue;
                }

                Stage.Require(sent.StatusCode == HttpStatusCode.TooManyRequests && sent.Headers.RetryAfter is not null, $"{(int)sent.StatusCode} {await sent.Content.ReadAsStringAsync()}");
                Interlocked.Increment(ref refused);
                if (Second(DateTimeOffset.UtcNow) is >= 10 and var second && bound.TryAdd(second, 0) && bound.Count > BoundSeconds && !stage.IsFull) await over.CancelAsync();
                await Task.Delay(random.Next(50, 200));
            }
        }));
        // The first ten seconds are those in which all of them hear of it.
        var settled = taken.Where(t => Second(t.Answered) >= 10).ToList();
        Stage.Require(settled.Count > 0, "nothing was taken after ten seconds");
        var window = TimeSpan.FromSeconds(10);
        // Only what was asked and answered within the window was surely admitted in it.
        var most = settled.Max(first => settled.Count(t => t.Asked >= first.Asked && t.Answered < first.Asked + window));
        var last = settled.Max(t => t.Answered);
        // The last second is none that is whole.
        var whole = bound.Keys.Where(second => second < Second(last)).ToHashSet();
        var rate = settled.Count / (last - begin - TimeSpan.FromSeconds(10)).TotalSeconds;
        var boundRate = settled.Count(time => whole.Contains(Second(time.Answered))) / (double)Math.Max(1, whole.Count);
        var figures = string.Create(CultureInfo.InvariantCulture,
            $"{settled.Count} taken at {rate:f1}/s of {perSecond}/s, {boundRate:f1}/s in {whole.Count} s of {Second(last) - 10} with refusals, at most {most} in any 10 s, {refused} refused with 429, {Senders} senders over {ingresses.Count} ingress");
        Stage.Require(most <= perSecond * 10 + perSecond, figures);
        Stage.Require((stage.IsFull ? rate : boundRate) >= 0.95 * perSecond && whole.Count >= BoundSeconds, figures);
        await ApiCalls.OrderAsync(administrator, HttpMethod.Patch, $"/v1/tenants/{tenant}", new { quota = new { perSecond = 0 } }, HttpStatusCode.OK);
        return figures;

        int Second(DateTimeOffset time) => (int)(time - begin).TotalSeconds;
    }

    private static async Task<string> EventsAsync(Stage stage, HttpClient administrator, string tenant, string key)
    {
        using var receiver = new Receiver($"http://{stage.World.Tenants[^1].Address}:8099/");
        await ApiCalls.OrderAsync(administrator, HttpMethod.Post, $"/v1/tenants/{tenant}/webhooks", new { url = receiver.Address }, HttpStatusCode.Created);
        var sent = new ConcurrentDictionary<string, string>(StringComparer.Ordinal);
        var told = new Dictionary<string, List<string>>(StringComparer.Ordinal);
        var ids = new HashSet<string>(StringComparer.Ordinal);
        var (cursor, isDone, twice) = ("", false, 0);
        var ingresses = stage.Cluster.With("ingress");
        using var over = new CancellationTokenSource();
        // Receivers of one site defer at first, so that there are more steps than two.
        stage.Sink.Behave("site2", s => s with { Deferred = 0.5 });
        var senders = Enumerable.Range(0, 8).Select(async sender =>
        {
            using var client = ApiCalls.Client(ingresses[sender % ingresses.Count], key);
            for (var i = 0; !over.IsCancellationRequested; i++)
            {
                var recipient = $"e{sender}-{i}@{Post.Domain(1 + (i % 9), i % 20)}";
                try
                {
                    using var response = await client.PostAsJsonAsync(ApiCalls.At("/v1/messages"), Letter(recipient));
                    if (response.StatusCode == HttpStatusCode.Accepted) sent[JsonNode.Parse(await response.Content.ReadAsStringAsync())!["recipients"]![0]!["id"]!.GetValue<string>()] = recipient;
                }
                catch (HttpRequestException)
                {
                    // It was not answered: nobody says what became of it.
                }

                await Task.Delay(TimeSpan.FromMilliseconds(400), CancellationToken.None);
            }
        }).ToList();
        var reader = Task.Run(async () =>
        {
            using var client = Client(stage, key);
            while (!isDone)
            {
                try
                {
                    var page = JsonNode.Parse(await client.GetStringAsync(new Uri("/v1/events?limit=1000" + (cursor.Length > 0 ? "&cursor=" + cursor : ""), UriKind.Relative)))!;
                    foreach (var one in page["events"]!.AsArray())
                    {
                        // The same acceptance may be told again: it has the same id.
                        if (!ids.Add(one!["id"]!.GetValue<string>()))
                        {
                            twice += one["type"]!.GetValue<string>() == "accepted" ? 0 : 1;
                            continue;
                        }

                        lock (told)
                        {
                            var recipient = one["recipientId"]!.GetValue<string>();
                            if (!told.TryGetValue(recipient, out var steps)) told.Add(recipient, steps = []);
                            steps.Add(one["type"]!.GetValue<string>());
                        }
                    }

                    cursor = page["cursor"]!.GetValue<string>();
                }
                catch (HttpRequestException)
                {
                    // The api was killed: the same page is asked for again.
                }

                await Task.Delay(500);
            }
        });

        foreach (var role in (string[])["ingress", "grains", "egress", "api"])
        {
            await Task.Delay(TimeSpan.FromSeconds(5));
            var victim = stage.Cluster.With(role)[0];
            var start = DateTimeOffset.UtcNow;
            await victim.KillAsync();
            await victim.StartAsync();
            stage.Note($"kill-{role}", victim.Name, victim.Name, start);
            stage.Say($"{victim.Name} was killed and runs again; {sent.Count} sent, {ids.Count} events");
        }

        await Task.Delay(TimeSpan.FromSeconds(5));
        await over.CancelAsync();
        await Task.WhenAll(senders);
        stage.Sink.Behave("site2", s => s with { Deferred = 0 });
        bool IsTold(string id)
        {
            lock (told) return told.TryGetValue(id, out var steps) && steps[^1] == "delivered";
        }

        var took = await Stage.UntilAsync(() => Task.FromResult(sent.Keys.All(IsTold)), Stage.Patience, () => $"{sent.Keys.Count(id => !IsTold(id))} of {sent.Count} have no delivered event, such as {sent.FirstOrDefault(s => !IsTold(s.Key))}");
        isDone = true;
        await reader;
        // The webhook has the same, at least once.
        await Stage.UntilAsync(() => Task.FromResult(sent.Keys.All(id => receiver.Has(id, "accepted") && receiver.Has(id, "delivered"))), Stage.Patience,
            () => $"{sent.Keys.Count(id => !receiver.Has(id, "delivered"))} of {sent.Count} were not posted as delivered");
        var wrong = sent.Keys.Where(id => told[id][0] != "accepted" || told[id].Skip(1).SkipWhile(t => t == "deferred").Any(t => t != "delivered")).Select(id => $"{id}: {string.Join(' ', told[id])}").ToList();
        Stage.Require(wrong.Count == 0, $"{wrong.Count} out of order: {string.Join("; ", wrong.Take(5))}");
        Stage.Require(twice == 0, $"{twice} events came twice by one cursor");
        Stage.Require(sent.Count > 200 && told.Values.Any(t => t.Contains("deferred")), $"too little was sent: {sent.Count}");
        return string.Create(CultureInfo.InvariantCulture, $"{sent.Count} messages, {ids.Count} events, each message accepted to delivered in order, none twice, the last {took.TotalSeconds:f0} s after the end; the webhook got {receiver.Events} in {receiver.Posts} posts");
    }

    private static object Letter(string recipient) => ApiCalls.Letter(Domain, recipient);

    private static HttpClient Client(Stage stage, string key) => ApiCalls.Client(stage.Cluster.With("api")[0], key);

    /// <summary>A webhook's receiver: notes what is posted, and takes it. A task a post.</summary>
    private sealed class Receiver : IDisposable
    {
        private readonly HttpListener _listener = new();
        private readonly ConcurrentDictionary<(string Recipient, string Type), byte> _told = new();
        private int _events, _posts;

        public Receiver(string address)
        {
            Address = address;
            _listener.Prefixes.Add(address);
            _listener.Start();
            _ = ReceiveAsync();
        }

        public string Address { get; }

        public int Events => _events;

        public int Posts => _posts;

        public bool Has(string recipient, string type) => _told.ContainsKey((recipient, type));

        public void Dispose() => ((IDisposable)_listener).Dispose();

        private async Task ReceiveAsync()
        {
            try
            {
                while (true)
                {
                    var post = await _listener.GetContextAsync();
                    var body = await JsonNode.ParseAsync(post.Request.InputStream);
                    foreach (var one in body!["events"]!.AsArray())
                    {
                        _told[(one!["recipientId"]!.GetValue<string>(), one["type"]!.GetValue<string>())] = 0;
                        Interlocked.Increment(ref _events);
                    }

                    Interlocked.Increment(ref _posts);
                    post.Response.Close();
                }
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or InvalidOperationException)
            {
                // The step is over.
            }
        }
    }

    private static string Secret(string name, string text)
    {
        var path = Path.Combine(s_secrets, name);
        File.WriteAllText(path, text + "\n");
        return path;
    }
}
