using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Angarium.Integration.Harness;
using MailKit.Net.Smtp;
using MailKit.Security;
using MimeKit;

namespace Angarium.Integration;

/// <summary>From one API call to signed mail, over a real name server, with clients and a verifier that people use.</summary>
public sealed class When_a_tenant_is_onboarded : IAsyncLifetime
{
    private const string Administrator = "0123456789abcdef0123456789abcdef";

    private readonly Sink sink = new();
    private readonly int submission = Ports.Free(), dns = Ports.Free();
    private Relay relay = null!;
    private HttpClient http = null!;

    public async ValueTask InitializeAsync()
    {
        relay = new Relay(new()
        {
            ["Egress:NextHop"] = $"127.0.0.1:{sink.Port}", ["Ingress:Submission:Listen"] = $"127.0.0.1:{submission}", ["Ingress:TrustedNetworks"] = "", ["Dns:Servers"] = $"127.0.0.1:{dns}",
            ["Tenants:SpfInclude"] = "spf.relay.test", ["Api:RequestsPerSecond"] = "10000",
        });
        relay.Set("Api:AdministratorKey", PathOf("administrator"));
        await File.WriteAllTextAsync(PathOf("administrator"), Administrator + "\n");
        var (code, output) = await Child.RunAsync("openssl",
            ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", PathOf("key.pem"), "-out", PathOf("cert.pem"), "-days", "2", "-subj", "/CN=relay.test"], TimeSpan.FromSeconds(60));
        Assert.True(code == 0, output);
        relay.Set("Tls:Certificate", PathOf("cert.pem"));
        relay.Set("Tls:Key", PathOf("key.pem"));
        await relay.StartAsync();
        http = Http(Administrator);
    }

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await relay.DisposeAsync();
        sink.Dispose();
    }

    [Fact]
    public async Task Should_verify_what_is_published_and_say_what_is_not()
    {
        var tenant = await CreateAsync("acme.test");
        var records = tenant.Lines;
        Assert.Equal(["ownership=missing", "dkim=missing", "dkim=missing", "spf=missing", "dmarc=missing"], await VerifyAsync(tenant, []));
        Assert.Equal(["ownership=ok", "dkim=ok", "dkim=ok", "spf=ok", "dmarc=ok"], await VerifyAsync(tenant, records));
        Assert.Equal("verified", (await GetAsync(tenant, "/domains/acme.test"))["status"]!.GetValue<string>());
        string[] purposes = ["ownership", "dkim", "dkim", "spf", "dmarc"];
        for (var i = 0; i < records.Length; i++)
        {
            var at = i;
            Assert.Equal("missing", StateAt(await VerifyAsync(tenant, [.. records.Where((_, n) => n != at)]), i));
            // One octet of its last string is another.
            Assert.Equal("wrong", StateAt(await VerifyAsync(tenant, [.. records.Select((r, n) => n == at ? Spoiled(r, purposes[at]) : r)]), i));
            Assert.Equal("doubled", StateAt(await VerifyAsync(tenant, [.. records, Another(records[i], purposes[i])]), i));
        }

        // It was verified, and is missing for minutes only.
        Assert.Contains("ownership=missing", await VerifyAsync(tenant, records[1..]));
        Assert.Equal("warning", (await GetAsync(tenant, "/domains/acme.test"))["status"]!.GetValue<string>());

        static string StateAt(string[] states, int i) => states[i][(states[i].IndexOf('=') + 1)..];
        static string Spoiled(string record, string purpose) => purpose switch { "spf" => record.Replace("include:", "include:x", StringComparison.Ordinal), "dmarc" => record.Replace("p=none", "p=nones", StringComparison.Ordinal), _ => record[..^2] + "x\"" };
        static string Another(string record, string purpose) => purpose switch { "spf" => record.Replace("~all", "-all", StringComparison.Ordinal), "dmarc" => record.Replace("p=none", "p=reject", StringComparison.Ordinal), _ => record[..record.IndexOf('"', StringComparison.Ordinal)] + "\"another\"" };
    }

    [Theory]
    [InlineData("SCRAM-SHA-256")]
    [InlineData("PLAIN")]
    [InlineData("LOGIN")]
    public async Task Should_take_and_sign_what_its_credential_submits(string mechanism)
    {
        var tenant = await VerifiedAsync("acme.test");
        using var client = new SmtpClient { ServerCertificateValidationCallback = (_, _, _, _) => true };
        await client.ConnectAsync("127.0.0.1", submission, SecureSocketOptions.StartTls);
        client.AuthenticationMechanisms.RemoveWhere(m => m != mechanism);
        await client.AuthenticateAsync(tenant.User, tenant.Password);
        using var message = new MimeMessage { Subject = "by " + mechanism, Body = new TextPart("plain") { Text = "x" } };
        message.From.Add(MailboxAddress.Parse("a@acme.test"));
        message.To.Add(MailboxAddress.Parse("b@elsewhere.test"));
        await client.SendAsync(message);
        var got = Assert.Single(await sink.CountAsync(1));
        Assert.Contains("ESMTPSA", got.Text, StringComparison.Ordinal);
        Assert.Equal((2, 2), await DkimVerifier.VerifyAsync(got.Content, tenant.Zone));
        message.From.Clear();
        message.From.Add(MailboxAddress.Parse("a@other.test"));
        Assert.Contains("other.test is not a verified domain", (await Assert.ThrowsAsync<SmtpCommandException>(() => client.SendAsync(message))).Message, StringComparison.Ordinal);
        await client.DisconnectAsync(true);

        // Taken away, it is no use any more.
        using var taken = await http.DeleteAsync(new Uri($"/v1/tenants/{tenant.Id}/credentials/{tenant.User}", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NoContent, taken.StatusCode);
        await Poll.UntilAsync(async () =>
        {
            using var again = new SmtpClient { ServerCertificateValidationCallback = (_, _, _, _) => true };
            await again.ConnectAsync("127.0.0.1", submission, SecureSocketOptions.StartTls);
            try
            {
                await again.AuthenticateAsync(tenant.User, tenant.Password);
                return false;
            }
            catch (AuthenticationException)
            {
                return true;
            }
        }, "the credential to be refused");
    }

    [Fact]
    public async Task Should_take_and_sign_what_comes_over_HTTP_and_tell_what_became_of_it()
    {
        var tenant = await VerifiedAsync("acme.test");
        using var key = Http(tenant.Key);
        using var sent = await key.PostAsJsonAsync(new Uri("/v1/messages", UriKind.Relative), new
        {
            from = new { email = "me@acme.test", name = "Zoë" },
            to = new object[] { new { email = "one@elsewhere.test", substitutions = new { name = "One & all" } }, new { email = "two@elsewhere.test", substitutions = new { name = "Two" } } },
            subject = "Hello {{name}}", text = "Dear {{name}},\nwelcome.", html = "<p>Dear {{name}}</p>", headers = new Dictionary<string, string> { ["X-Campaign"] = "first" },
            attachments = new[] { new { name = "a.txt", type = "text/plain", content = Convert.ToBase64String(Encoding.UTF8.GetBytes("attached")) } }, @class = "bulk",
        });
        var answer = JsonNode.Parse(await sent.Content.ReadAsStringAsync())!;
        Assert.True(sent.StatusCode == HttpStatusCode.Accepted, answer.ToJsonString());
        Assert.Equal(["one@elsewhere.test", "two@elsewhere.test"], answer["recipients"]!.AsArray().Select(r => r!["email"]!.GetValue<string>()));
        var all = await sink.CountAsync(2);
        foreach (var got in all)
        {
            Assert.Equal((2, 2), await DkimVerifier.VerifyAsync(got.Content, tenant.Zone));
            var parsed = await MimeMessage.LoadAsync(new MemoryStream(got.Content));
            var name = got.Recipients[0].StartsWith("one", StringComparison.Ordinal) ? "One & all" : "Two";
            Assert.Equal(("Hello " + name, "first"), (parsed.Subject, parsed.Headers["X-Campaign"]));
            Assert.Equal($"<p>Dear {WebUtility.HtmlEncode(name)}</p>", parsed.HtmlBody!.Trim());
            Assert.Equal("Zoë", parsed.From.Mailboxes.Single().Name);
            Assert.Equal("attached", Assert.IsType<TextPart>(Assert.Single(parsed.Attachments)).Text);
        }

        var events = new List<JsonNode>();
        var cursor = "";
        await Poll.UntilAsync(async () =>
        {
            var page = JsonNode.Parse(await key.GetStringAsync(new Uri("/v1/events" + (cursor.Length > 0 ? "?cursor=" + cursor : ""), UriKind.Relative)))!;
            cursor = page["cursor"]!.GetValue<string>();
            events.AddRange(page["events"]!.AsArray().Select(e => e!.DeepClone()));
            return events.Count >= 4;
        }, "four events");
        foreach (var one in answer["recipients"]!.AsArray())
            Assert.Equal(["accepted", "delivered"], events.Where(e => e["recipientId"]!.GetValue<string>() == one!["id"]!.GetValue<string>()).Select(e => e["type"]!.GetValue<string>()));
        var trace = await GetAsync(key, "/v1/messages/" + answer["recipients"]![0]!["message"]!.GetValue<string>());
        Assert.Contains("250", trace["events"]![1]!["reply"]!.GetValue<string>(), StringComparison.Ordinal);

        // Another tenant sees nothing of it.
        var other = await CreateAsync("other.test");
        using var stranger = Http(other.Key);
        Assert.Empty((await GetAsync(stranger, "/v1/events"))["events"]!.AsArray());
        using var hidden = await stranger.GetAsync(new Uri("/v1/messages/" + answer["recipients"]![0]!["message"]!.GetValue<string>(), UriKind.Relative));
        Assert.Equal(HttpStatusCode.NotFound, hidden.StatusCode);
    }

    [Fact]
    public async Task Should_carry_a_named_request_out_once()
    {
        var tenant = await VerifiedAsync("acme.test");
        using var key = Http(tenant.Key);
        async Task<(int Status, string Body, bool IsReplay)> SendAsync(string name, string text)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri("/v1/messages", UriKind.Relative)) { Content = JsonContent.Create(new { from = new { email = "me@acme.test" }, to = new[] { new { email = "b@elsewhere.test" } }, text }) };
            request.Headers.Add("Idempotency-Key", name);
            using var response = await key.SendAsync(request);
            return ((int)response.StatusCode, await response.Content.ReadAsStringAsync(), response.Headers.Contains("Idempotency-Replayed"));
        }

        var first = await SendAsync("one", "x");
        Assert.Equal((202, false), (first.Status, first.IsReplay));
        Assert.Equal((202, first.Body, true), await SendAsync("one", "x"));
        Assert.Equal(422, (await SendAsync("one", "y")).Status);
        // As large as content may be, and not as everything else.
        Assert.NotEqual(first.Body, (await SendAsync("two", new string('x', 1 << 20))).Body);
        // Also by the process that follows.
        await relay.KillAsync();
        await relay.StartAsync();
        Assert.Equal((202, first.Body, true), await SendAsync("one", "x"));
        // What was on its way at the kill may come twice, and is the same message.
        var arrived = () => sink.All.Select(message => message.Header("Message-ID")).Distinct().Count();
        await Poll.UntilAsync(() => Task.FromResult(arrived() >= 2), "two messages");
        Assert.Equal(2, arrived());

        // A secret that was shown once is shown again to who has the same key and name, and lies nowhere in the clear.
        using var make = new HttpRequestMessage(HttpMethod.Post, new Uri($"/v1/tenants/{tenant.Id}/credentials", UriKind.Relative)) { Content = JsonContent.Create(new { name = "app" }) };
        make.Headers.Add("Idempotency-Key", "three");
        using var made = await key.SendAsync(make);
        var password = JsonNode.Parse(await made.Content.ReadAsStringAsync())!["password"]!.GetValue<string>();
        Assert.DoesNotContain(Directory.GetFiles(relay.Data, "*", SearchOption.AllDirectories), f => Holds(f, password));

        static bool Holds(string file, string text)
        {
            try
            {
                return File.ReadAllText(file).Contains(text, StringComparison.Ordinal);
            }
            catch (IOException)
            {
                return false;
            }
        }
    }

    [Theory]
    [InlineData("""{"to":[{"email":"a@b.test"}],"text":"x"}""", "")]
    [InlineData("""{"from":{"email":"me@acme.test"},"text":"x"}""", "to")]
    [InlineData("""{"from":{"email":"me@acme.test"},"to":[{"email":"a@b.test\r\nBcc: c@d.test"}],"text":"x"}""", "to[0].email")]
    [InlineData("""{"from":{"email":"me@acme.test","name":"a\r\nBcc: c@d.test"},"to":[{"email":"a@b.test"}],"text":"x"}""", "from.name")]
    [InlineData("""{"from":{"email":"me@acme.test"},"to":[{"email":"a@b.test"}],"text":"x","subject":"a\nBcc: c@d.test"}""", "subject")]
    [InlineData("""{"from":{"email":"me@acme.test"},"to":[{"email":"a@b.test"}],"text":"x","headers":{"X-A":"a\r\n\r\nb"}}""", "headers.X-A")]
    [InlineData("""{"from":{"email":"me@acme.test"},"to":[{"email":"a@b.test"}],"text":"x","headers":{"Received":"a"}}""", "headers")]
    [InlineData("""{"from":{"email":"me@acme.test"},"to":[{"email":"a@b.test"}],"text":"x","attachments":[{"name":"a\nb","content":""}]}""", "attachments[0].name")]
    [InlineData("""{"from":{"email":"me@acme.test"},"to":[{"email":"a@b.test"}]}""", "text")]
    [InlineData("""{"from":{"email":"me@acme.test"},"to":[null],"text":"x"}""", "to[0]")]
    [InlineData("""{"from":{"email":"me@acme.test"},"to":[{"email":"a@b.test"}],"text":"x","class":"urgent"}""", "class")]
    [InlineData("""{"from":{"email":"me@other.test"},"to":[{"email":"a@b.test"}],"text":"x"}""", "")]
    public async Task Should_refuse_what_cannot_be_sent_and_name_the_field(string body, string field)
    {
        var tenant = await VerifiedAsync("acme.test");
        using var key = Http(tenant.Key);
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var sent = await key.PostAsync(new Uri("/v1/messages", UriKind.Relative), content);
        Assert.InRange((int)sent.StatusCode, 400, 422);
        Assert.Equal("application/problem+json", sent.Content.Headers.ContentType!.MediaType);
        Assert.Equal(field, JsonNode.Parse(await sent.Content.ReadAsStringAsync())!["field"]?.GetValue<string>() ?? "");
        Assert.Empty(sink.All);
    }

    /// <summary>Requests that are odd, or made to do harm: each is answered for itself, and the next message goes through.</summary>
    [Fact]
    public async Task Should_be_harmed_by_no_request()
    {
        var tenant = await VerifiedAsync("acme.test");
        using var key = Http(tenant.Key);
        async Task<(int Status, string Field)> SendAsync(string members)
        {
            using var content = new StringContent("{\"from\":{\"email\":\"me@acme.test\"}," + members + "}", Encoding.UTF8, "application/json");
            using var sent = await key.PostAsync(new Uri("/v1/messages", UriKind.Relative), content);
            return ((int)sent.StatusCode, JsonNode.Parse(await sent.Content.ReadAsStringAsync())!["field"]?.GetValue<string>() ?? "");
        }

        const string To = "\"to\":[{\"email\":\"a@b.test\"}]";
        // Filled in it would be 200 GB.
        var (holes, value) = (string.Concat(Enumerable.Repeat("{{a}}", 200_000)), new string('x', 1_000_000));
        Assert.Equal((422, "to[0].substitutions"), await SendAsync("\"text\":\"" + holes + "\",\"to\":[{\"email\":\"a@b.test\",\"substitutions\":{\"a\":\"" + value + "\"}}]"));
        Assert.Equal((422, "attachments[0].type"), await SendAsync($$"""{{To}},"attachments":[{"name":"a.eml","type":"message/rfc822","content":""}]"""));
        Assert.Equal((422, "headers"), await SendAsync($$"""{{To}},"text":"x","headers":{"Message-ID":"<x@acme.test>"}"""));
        // A time that is past means now, also one before 1970; and a file may have any name.
        Assert.Equal((202, ""), await SendAsync($$"""{{To}},"text":"one","sendAt":"1969-12-31T23:59:59Z" """));
        Assert.Equal((202, ""), await SendAsync($$"""{{To}},"text":"two","attachments":[{"name":"cid:logo","contentId":"logo","type":"image/png","content":"AAAA"}]"""));
        await sink.CountAsync(2);
    }

    private string PathOf(string name) => Path.Combine(relay.Folder, name);

    private HttpClient Http(string key) => new() { BaseAddress = new Uri($"http://127.0.0.1:{relay.HttpPort}"), DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", key) } };

    private async Task<Tenant> CreateAsync(string domain)
    {
        using var created = await http.PostAsJsonAsync(new Uri("/v1/tenants", UriKind.Relative), new { name = "Acme", domain });
        var answer = JsonNode.Parse(await created.Content.ReadAsStringAsync())!;
        Assert.True(created.StatusCode == HttpStatusCode.Created, answer.ToJsonString());
        return new Tenant(answer["tenant"]!["id"]!.GetValue<string>(), answer["apiKey"]!.GetValue<string>(), answer["smtp"]!["user"]!.GetValue<string>(), answer["smtp"]!["password"]!.GetValue<string>(),
            [.. answer["records"]!.AsArray().Select(r => r!.GetValue<string>())],
            answer["tenant"]!["domains"]![0]!["records"]!.AsArray().ToDictionary(r => r!["name"]!.GetValue<string>(), r => r!["value"]!.GetValue<string>()));
    }

    private async Task<Tenant> VerifiedAsync(string domain)
    {
        var tenant = await CreateAsync(domain);
        Assert.Contains("ownership=ok", await VerifyAsync(tenant, tenant.Lines));
        return tenant;
    }

    /// <summary>Asks for a look while the zone holds these lines; what was found of each record.</summary>
    private async Task<string[]> VerifyAsync(Tenant tenant, string[] lines)
    {
        using var server = await Nameserver.StartAsync(null, dns, lines);
        using var verified = await http.PostAsync(new Uri($"/v1/tenants/{tenant.Id}/domains/acme.test/verify", UriKind.Relative), null);
        return [.. JsonNode.Parse(await verified.Content.ReadAsStringAsync())!["records"]!.AsArray().Select(r => $"{r!["purpose"]}={r["state"]}")];
    }

    private Task<JsonNode> GetAsync(Tenant tenant, string path) => GetAsync(http, $"/v1/tenants/{tenant.Id}{path}");

    private static async Task<JsonNode> GetAsync(HttpClient client, string path) => JsonNode.Parse(await client.GetStringAsync(new Uri(path, UriKind.Relative)))!;

    private sealed record Tenant(string Id, string Key, string User, string Password, string[] Lines, IReadOnlyDictionary<string, string> Zone);
}

/// <summary>Waits for what only asking can tell.</summary>
file static class Poll
{
    public static async Task UntilAsync(Func<Task<bool>> isSo, string what)
    {
        var began = System.Diagnostics.Stopwatch.GetTimestamp();
        while (!await isSo())
        {
            Assert.True(System.Diagnostics.Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(60), $"no {what} within a minute");
            await Task.Delay(200);
        }
    }
}
