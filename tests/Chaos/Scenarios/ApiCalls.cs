using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Angarium.Chaos.Processes;

namespace Angarium.Chaos.Scenarios;

/// <summary>The API of a relay's processes, as administrators and tenants call it. No state; any thread.</summary>
internal static class ApiCalls
{
    public const int Port = 8080;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    public static HttpClient Client(Node node, string key) =>
        new() { BaseAddress = new Uri($"http://{node.Address}:{Port}"), DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", key) }, Timeout = TimeSpan.FromSeconds(60) };

    public static Uri At(string path) => new(path, UriKind.Relative);

    /// <summary>The body of an answer, which has to have this status.</summary>
    public static async Task<JsonNode> AnswerAsync(HttpResponseMessage response, HttpStatusCode status)
    {
        using (response)
        {
            var text = await response.Content.ReadAsStringAsync();
            Stage.Require(response.StatusCode == status, $"{(int)response.StatusCode} {text}");
            return JsonNode.Parse(text)!;
        }
    }

    /// <summary>The body of an answer to an administrator. What the relay could not do just now is asked again under the same name, as it says; after a minute its last answer counts.</summary>
    public static async Task<JsonNode> OrderAsync(HttpClient client, HttpMethod method, string path, object? body, HttpStatusCode status)
    {
        var name = Guid.NewGuid().ToString("n");
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1));
        for (var began = Stopwatch.GetTimestamp(); ; await timer.WaitForNextTickAsync())
        {
            using var request = new HttpRequestMessage(method, At(path)) { Content = body is null ? null : JsonContent.Create(body) };
            request.Headers.Add("Idempotency-Key", name);
            var response = await client.SendAsync(request);
            if (!await IsForLaterAsync(response) || Stopwatch.GetElapsedTime(began) > s_patience) return await AnswerAsync(response, status);
            response.Dispose();
        }
    }

    /// <summary>Not now; or what was asked before under this name is still being done.</summary>
    private static async Task<bool> IsForLaterAsync(HttpResponseMessage response) => response.StatusCode == HttpStatusCode.ServiceUnavailable
        || (response.StatusCode == HttpStatusCode.Conflict && (await response.Content.ReadAsStringAsync()).Contains("problem-running", StringComparison.Ordinal));

    /// <summary>A new tenant whose domain is verified by the records that the answer asks for; its id and the key of its API.</summary>
    public static async Task<(string Tenant, string Key)> OnboardAsync(Stage stage, HttpClient administrator, string domain)
    {
        var made = await OrderAsync(administrator, HttpMethod.Post, "/v1/tenants", new { name = "Acme", domain }, HttpStatusCode.Created);
        var tenant = made["tenant"]!["id"]!.GetValue<string>();
        await stage.Cluster.PublishAsync(made["records"]!.AsArray().Select(r => r!.GetValue<string>()));
        var verified = await OrderAsync(administrator, HttpMethod.Post, $"/v1/tenants/{tenant}/domains/{domain}/verify", null, HttpStatusCode.OK);
        Stage.Require(verified["status"]!.GetValue<string>() == "verified", verified.ToJsonString());
        return (tenant, made["apiKey"]!.GetValue<string>());
    }

    /// <summary>A message, as it is posted.</summary>
    public static object Letter(string domain, string recipient) => new { from = new { email = "me@" + domain }, to = new[] { new { email = recipient } }, subject = "x", text = "hello" };
}
