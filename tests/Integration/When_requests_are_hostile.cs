using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Angarium.Integration.Harness;

namespace Angarium.Integration;

/// <summary>Requests made from the API's own description and then spoiled: every member missing, null, of another type, huge, hostile; every parameter, header and type of content too. By seeds: a failure names its own.</summary>
public sealed class When_requests_are_hostile : IAsyncLifetime
{
    private const int Requests = 4_000, AtOnce = 8;

    private static readonly string[] s_texts =
    [
        "", " ", "a", "null", "true", "-1", "0", "1e309", "99999999999999999999", "../../etc/passwd", "%00", "%2e%2e%2f", "a\0b", "a\r\nX-Injected: 1", "\r\n\r\n.\r\n", "{{name}}", "${jndi:ldap://x}", "' OR 1=1 --",
        "<script>alert(1)</script>", "\u202Eevil", "\uD83D\uDE00", "\uFFFE", "Zoë", "a@b", "a@b.test", "@", "a@[127.0.0.1]", "\"a b\"@c.test", "a@" + new string('b', 300) + ".test", "xn--a.test", "*.test", "t" + new string('2', 15),
        "t22222222222222x", new string('a', 23), new string('x', 5_000), new string('{', 2_000), "2026-11-28T00:00:00Z", "9999-12-31T23:59:59Z", "http://127.0.0.1/", "file:///etc/passwd", "https://[::1]:99999/", "administrators", "keys/x",
    ];

    private Tenancy all = null!;
    private HttpClient own = null!;
    private ApiDescription api = null!;
    private Onboarded mine = null!;

    public async ValueTask InitializeAsync()
    {
        all = await Tenancy.StartAsync();
        mine = await all.VerifiedAsync("mine.test");
        own = all.HttpOf(mine.Key);
        api = await ApiDescription.ReadAsync(all.Http);
    }

    public async ValueTask DisposeAsync()
    {
        own.Dispose();
        await all.DisposeAsync();
    }

    [Fact]
    public async Task Should_answer_each_with_what_it_is_and_never_break()
    {
        var secrets = new[] { mine.Key, mine.Password };
        var statuses = new System.Collections.Concurrent.ConcurrentDictionary<int, int>();
        // What deletes or pauses is asked of a tenant that nothing else needs.
        var victim = await all.CreateAsync("victim.test");
        await Parallel.ForEachAsync(Enumerable.Range(1, Requests), new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (seed, cancellation) =>
        {
            var random = new Random(seed);
            var operation = api.Operations[random.Next(api.Operations.Count)];
            // Administrators' keys that were made are not taken away from whoever asks: all requests are the first administrator's or the tenant's.
            var client = random.Next(2) == 0 ? all.Http : own;
            using var request = Request(random, operation, victim.Id);
            HttpResponseMessage answer;
            try
            {
                answer = await client.SendAsync(request, cancellation);
            }
            catch (HttpRequestException e)
            {
                throw new InvalidOperationException($"seed {seed}: {operation} {request.RequestUri} with {request.Content?.Headers.ContentLength} octets was not answered", e);
            }

            using var response = answer;
            var text = await response.Content.ReadAsStringAsync(cancellation);
            var status = (int)response.StatusCode;
            statuses.AddOrUpdate(status, 1, (_, n) => n + 1);
            var told = $"seed {seed}: {operation} {request.RequestUri} answered {status}: {text[..Math.Min(400, text.Length)]}";
            Assert.True(status is >= 200 and < 300 or >= 400 and < 500, told);
            // A request line that is longer than the listener takes reaches nobody who could describe it.
            if (status == 414) Assert.True(request.RequestUri!.OriginalString.Length > 8_000, told);
            else if (status >= 400)
            {
                Assert.True(response.Content.Headers.ContentType?.MediaType == "application/problem+json", told);
                var problem = JsonNode.Parse(text)!;
                Assert.True(problem["status"]!.GetValue<int>() == status && problem["type"] is not null && problem["detail"] is not null, told);
            }

            Assert.False(response.Headers.Contains("X-Injected"), told);
            Assert.False(text.Contains("   at Angarium", StringComparison.Ordinal) || text.Contains("Exception", StringComparison.Ordinal), told);
        });

        // It was not all one refusal: every kind was met, and some of it was good.
        foreach (var met in new[] { 400, 403, 404, 415, 422 }) Assert.True(statuses.ContainsKey(met), $"none was answered {met}: {string.Join(", ", statuses)}");
        Assert.Contains(statuses.Keys, status => status is >= 200 and < 300);

        // And it still works.
        var sent = await Tenancy.MakeAsync(own, "/v1/messages", new { from = new { email = "me@mine.test" }, to = new[] { new { email = "last@elsewhere.test" } }, text = "x" }, 202);
        Assert.Single(sent["recipients"]!.AsArray());
        await all.Relay.StopAsync();
        foreach (var line in all.Relay.Output.Split('\n'))
        {
            Assert.False(line.Contains("\"Error\"", StringComparison.Ordinal) || line.Contains("\"Critical\"", StringComparison.Ordinal) || line.Contains("   at ", StringComparison.Ordinal), line);
            foreach (var secret in secrets) Assert.DoesNotContain(secret, line, StringComparison.Ordinal);
        }
    }

    private HttpRequestMessage Request(Random random, ApiOperation operation, string victim)
    {
        var path = operation.At(name => name switch
        {
            "tenant" when operation.Id == "pauseTenant" => victim,
            "tenant" => operation.Method == HttpMethod.Get || random.Next(4) == 0 ? mine.Id : random.Next(3) == 0 ? Segment(random) : victim,
            "domain" when operation.Method != HttpMethod.Delete && random.Next(2) == 0 => "mine.test",
            _ => Segment(random),
        });
        var query = operation.QueryParameters.Concat(["unknown"]).Where(_ => random.Next(3) == 0).Select(name => $"{name}={Uri.EscapeDataString(Text(random))}").ToList();
        var request = new HttpRequestMessage(operation.Method, new Uri(path + (query.Count > 0 ? "?" + string.Join('&', query) : ""), UriKind.Relative));
        if (random.Next(6) == 0) request.Headers.TryAddWithoutValidation("Idempotency-Key", Header(random));
        if (random.Next(6) == 0) request.Headers.TryAddWithoutValidation("If-Match", Header(random));
        // Of a tenant that is needed nothing is deleted, paused or renamed: it is asked with a version that it has not.
        if (path.Contains(mine.Id, StringComparison.Ordinal) && operation.Method != HttpMethod.Get && operation.Id is "deleteTenant" or "changeTenant") request.Headers.TryAddWithoutValidation("If-Match", "\"1\"");
        if (operation.BodySchema is { } schema) request.Content = Content(random, schema);
        return request;
    }

    /// <summary>Of a path: one with NUL is refused by the listener before anybody could describe it.</summary>
    private static string Segment(Random random) => Text(random).Replace("\0", "", StringComparison.Ordinal);

    private ByteArrayContent Content(Random random, JsonNode schema)
    {
        var json = Value(random, schema, 0)?.ToJsonString() ?? "null";
        if (random.Next(10) == 0) json = Break(random, json);
        var octets = Encoding.UTF8.GetBytes(json);
        if (random.Next(20) == 0 && octets.Length > 0) octets[random.Next(octets.Length)] = (byte)random.Next(256);
        var content = new ByteArrayContent(octets);
        content.Headers.ContentType = random.Next(20) switch
        {
            0 => null,
            1 => new MediaTypeHeaderValue("text/plain"),
            2 => new MediaTypeHeaderValue("message/rfc822"),
            3 => new MediaTypeHeaderValue("application/json", "utf-16"),
            _ => new MediaTypeHeaderValue("application/json"),
        };
        return content;
    }

    private static string Break(Random random, string json) => random.Next(5) switch
    {
        0 => json[..random.Next(json.Length + 1)],
        1 => json + json,
        2 => new string('[', 100_000),
        3 => "{\"name\":\"a\",\"name\":\"b\"}",
        _ => json.Replace(':', ','),
    };

    /// <summary>What the schema asks for, or something else.</summary>
    private JsonNode? Value(Random random, JsonNode schema, int depth)
    {
        schema = api.Resolve(schema);
        if (depth > 6 || random.Next(8) == 0) return Something(random);
        var type = schema["type"] is JsonArray types ? types.Select(t => t!.GetValue<string>()).First(t => t != "null") : schema["type"]?.GetValue<string>();
        switch (type)
        {
            case "object" when schema["properties"] is JsonObject properties:
                var made = new JsonObject();
                foreach (var (name, property) in properties)
                    if (random.Next(6) != 0) made[name] = Value(random, property!, depth + 1);
                if (random.Next(12) == 0) made[Text(random)] = Something(random);
                return made;
            case "object":
                return new JsonObject(Enumerable.Range(0, random.Next(3)).Select(i => KeyValuePair.Create(Text(random) + i, Value(random, schema["additionalProperties"] ?? new JsonObject(), depth + 1))));
            case "array":
                return new JsonArray([.. Enumerable.Range(0, random.Next(20) == 0 ? 1_200 : random.Next(3)).Select(_ => Value(random, schema["items"] ?? new JsonObject(), depth + 1))]);
            case "string":
                return schema["format"]?.GetValue<string>() == "date-time" && random.Next(2) == 0 ? "2026-12-01T00:00:00Z" : Text(random);
            case "integer" or "number":
                return random.Next(3) == 0 ? JsonValue.Create(long.MaxValue) : JsonValue.Create(random.Next(-5, 100));
            case "boolean":
                return random.Next(2) == 0;
            default:
                return Something(random);
        }
    }

    private static JsonNode? Something(Random random) => random.Next(8) switch
    {
        0 => null,
        1 => JsonValue.Create(random.Next()),
        2 => JsonValue.Create(-0.5e-300),
        3 => JsonValue.Create(true),
        4 => new JsonArray(1, "a", null),
        5 => new JsonObject { ["a"] = new JsonObject { ["b"] = 1 } },
        6 => JsonValue.Create(new string('x', 70_000)),
        _ => JsonValue.Create(Text(random)),
    };

    private static string Text(Random random) => s_texts[random.Next(s_texts.Length)];

    /// <summary>What a client could send as a header's value.</summary>
    private static string Header(Random random) => string.Concat(Text(random).Where(c => c is >= ' ' and < (char)0x7F)) is { Length: > 0 } text ? text : "\"1\"";
}
