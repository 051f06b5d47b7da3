using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Angarium.Integration.Harness;
using Angarium.TestKit;

namespace Angarium.Integration;

/// <summary>
/// A walk over every operation that the API describes, with everybody's keys, against everything that one tenant has: a route that is added is walked without being named here, and one whose path
/// names something new fails until this says what that is.
/// </summary>
public sealed class When_tenants_look_at_each_other : IAsyncLifetime
{
    private static readonly string[] s_everybodys = ["sendMessage", "readEvents", "searchMessages"];

    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true };

    private Tenancy all = null!;
    private Onboarded mine = null!, other = null!;
    private HttpClient own = null!, stranger = null!;
    private ApiDescription api = null!;
    private Dictionary<string, string> things = null!;

    public async ValueTask InitializeAsync()
    {
        all = await Tenancy.StartAsync();
        (mine, other) = (await all.VerifiedAsync("mine.test"), await all.VerifiedAsync("other.test"));
        (own, stranger) = (all.HttpOf(mine.Key), all.HttpOf(other.Key));
        api = await ApiDescription.ReadAsync(all.Http);
        var sent = await Tenancy.MakeAsync(own, "/v1/messages", new { from = new { email = "me@mine.test" }, to = new[] { new { email = "you@elsewhere.test" } }, text = "x", tags = new[] { "my-tag" } }, 202);
        var key = await Tenancy.MakeAsync(own, $"/v1/tenants/{mine.Id}/keys", new { name = "reader", scopes = new[] { "read" } });
        await Tenancy.MakeAsync(own, $"/v1/tenants/{mine.Id}/inbound", new { domain = "mine.test", route = "mail.mine.test", recipients = new[] { "my-recipient" } });
        var webhook = await Tenancy.MakeAsync(own, $"/v1/tenants/{mine.Id}/webhooks", new { url = "https://hooks.mine.test/x" });
        things = new()
        {
            ["tenant"] = mine.Id, ["domain"] = "mine.test", ["recipient"] = "my-recipient", ["user"] = mine.User, ["key"] = key["id"]!.GetValue<string>(), ["message"] = sent["recipients"]![0]!["message"]!.GetValue<string>(),
            ["webhook"] = webhook["webhook"]!["id"]!.GetValue<string>(),
        };
        await all.Sink.CountAsync(1);
        await Tenancy.UntilAsync(async () => (await Tenancy.GetAsync(own, "/v1/events"))["events"]!.AsArray().Count >= 2, "two events");
    }

    public async ValueTask DisposeAsync()
    {
        own.Dispose();
        stranger.Dispose();
        await all.DisposeAsync();
    }

    [Fact]
    public async Task Should_see_nothing_of_another_and_not_whether_it_is_there()
    {
        Assert.True(api.Operations.Count > 20, "the description is there");
        var before = await ShownAsync();
        foreach (var operation in api.Operations)
        {
            // Nobody.
            using var nobody = new HttpClient { BaseAddress = own.BaseAddress };
            Assert.Equal((operation, 401), (operation, (await AskAsync(nobody, operation, Mine)).Status));

            var (status, text) = await AskAsync(stranger, operation, Mine);
            if (operation.PathParameters.Contains("tenant") || operation.PathParameters.Contains("message"))
            {
                // As if it had never been.
                Assert.Equal((operation, 404, text), (operation, status, text));
                Assert.Equal((operation, await AskAsync(stranger, operation, Nobodys)), (operation, (status, text)));
            }
            else if (!s_everybodys.Contains(operation.Id))
            {
                // What is not of one tenant is the administrators'.
                Assert.Equal((operation, 403), (operation, status));
            }

            foreach (var secret in new[] { mine.Id, "mine.test", "elsewhere.test", "my-tag", "my-recipient", things["message"] }) Assert.False(text.Contains(secret, StringComparison.OrdinalIgnoreCase), $"{operation} tells a stranger of {secret}: {text}");
        }

        Assert.Equal(before, await ShownAsync());
    }

    /// <summary>What is checked in is what is served: docs/openapi.json.</summary>
    [Fact]
    public async Task Should_be_described_as_the_page_says()
    {
        var served = JsonNode.Parse(await own.GetStringAsync(new Uri("/openapi/v1.json", UriKind.Relative)))!.ToJsonString(s_indented) + "\n";
        var page = Path.Combine(Repository.Root, "docs", "openapi.json");
        if (Environment.GetEnvironmentVariable("ANGARIUM_GOLDEN") == "write") await File.WriteAllTextAsync(page, served);
        Assert.True(File.Exists(page) && served == await File.ReadAllTextAsync(page), "docs/openapi.json differs: run this test with ANGARIUM_GOLDEN=write");
        var reference = await own.GetStringAsync(new Uri("/docs", UriKind.Relative));
        foreach (var operation in api.Operations) Assert.Contains($"id={operation.Id}>", reference, StringComparison.Ordinal);
        Assert.DoesNotContain("<script", reference, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Should_do_no_more_than_a_key_is_for()
    {
        async Task<HttpClient> KeyAsync(params string[] scopes) =>
            all.HttpOf((await Tenancy.MakeAsync(own, $"/v1/tenants/{mine.Id}/keys", new { name = string.Join(' ', scopes), scopes }))["key"]!.GetValue<string>());
        using var sends = await KeyAsync("send");
        using var reads = await KeyAsync("read");
        using var manages = await KeyAsync("manage");
        var before = await ShownAsync();
        foreach (var operation in api.Operations)
        {
            if (operation.Id != "sendMessage") Assert.Equal((operation, 403), (operation, (await AskAsync(sends, operation, Mine)).Status));
            else foreach (var client in new[] { reads, manages }) Assert.Equal((operation, 401), (operation, (await AskAsync(client, operation, Mine)).Status));
            if (operation.Method != HttpMethod.Get && operation.Id != "sendMessage") Assert.Equal((operation, 403), (operation, (await AskAsync(reads, operation, Mine)).Status));
            if (operation.Method == HttpMethod.Get) Assert.Equal((operation, 403), (operation, (await AskAsync(manages, operation, Mine)).Status));
        }

        Assert.Equal(before, await ShownAsync());
        using var more = await manages.PostAsJsonAsync(new Uri($"/v1/tenants/{mine.Id}/keys", UriKind.Relative), new { name = "more", scopes = new[] { "manage", "send" } });
        Assert.Equal(HttpStatusCode.Forbidden, more.StatusCode);
    }

    [Fact]
    public async Task Should_not_send_as_another()
    {
        foreach (var body in new object[]
        {
            new { from = new { email = "me@mine.test" }, to = new[] { new { email = "you@elsewhere.test" } }, text = "x" },
            new { from = new { email = "me@other.test", name = "x" }, headers = new Dictionary<string, string> { ["Resent-From"] = "me@mine.test" }, to = new[] { new { email = "you@elsewhere.test" } }, text = "x" },
            new { from = new { email = "me@sub.other.test" }, to = new[] { new { email = "you@elsewhere.test" } }, text = "x" },
        })
        {
            using var sent = await stranger.PostAsJsonAsync(new Uri("/v1/messages", UriKind.Relative), body);
            Assert.Equal(HttpStatusCode.UnprocessableEntity, sent.StatusCode);
        }

        foreach (var (sender, header) in new[] { ("me@other.test", "me@mine.test"), ("me@mine.test", "me@other.test"), ("me@other.test", "me@other.test, me@mine.test"), ("me@other.test", "\"me@other.test\" <me@mine.test>") })
        {
            using var content = new StringContent($"From: {header}\r\nTo: you@elsewhere.test\r\n\r\nx\r\n");
            content.Headers.ContentType = new("message/rfc822");
            using var sent = await stranger.PostAsync(new Uri($"/v1/messages?from={sender}&to=you@elsewhere.test", UriKind.Relative), content);
            Assert.Equal((header, HttpStatusCode.UnprocessableEntity), (header, sent.StatusCode));
        }

        Assert.Single(all.Sink.All);
    }

    private string Mine(string parameter) => things.TryGetValue(parameter, out var thing) ? thing : throw new InvalidOperationException($"A path names a {parameter}: this walk must know one of a tenant's.");

    /// <summary>Of the same form, and nobody's.</summary>
    private string Nobodys(string parameter) => parameter switch
    {
        "tenant" => "t" + new string('z', 15),
        "message" => new string('a', 23),
        _ => Mine(parameter),
    };

    private async Task<(int Status, string Text)> AskAsync(HttpClient client, ApiOperation operation, Func<string, string> value)
    {
        using var request = new HttpRequestMessage(operation.Method, new Uri(operation.At(value), UriKind.Relative));
        if (operation.BodySchema is not null) request.Content = JsonContent.Create(new { name = "x" });
        using var response = await client.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        // Each request has a trace of its own.
        if (text.Length > 0 && JsonNode.Parse(text) is JsonObject json && json.Remove("traceId")) text = json.ToJsonString();
        return ((int)response.StatusCode, text);
    }

    private async Task<string> ShownAsync() => (await Tenancy.GetAsync(all.Http, $"/v1/tenants/{mine.Id}")).ToJsonString() + (await Tenancy.GetAsync(all.Http, $"/v1/tenants/{mine.Id}/credentials")).ToJsonString()
        + (await Tenancy.GetAsync(all.Http, $"/v1/tenants/{mine.Id}/inbound/mine.test")).ToJsonString() + (await Tenancy.GetAsync(all.Http, $"/v1/tenants/{mine.Id}/inbound/mine.test/recipients")).ToJsonString();
}
