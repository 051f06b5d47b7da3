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

    /// <summary>A new tenant whose domain is verified by the records that the answer asks for; its id and the key of its API.</summary>
    public static async Task<(string Tenant, string Key)> OnboardAsync(Stage stage, HttpClient administrator, string domain)
    {
        var made = await AnswerAsync(await administrator.PostAsJsonAsync(At("/v1/tenants"), new { name = "Acme", domain }), HttpStatusCode.Created);
        var tenant = made["tenant"]!["id"]!.GetValue<string>();
        await stage.Cluster.PublishAsync(made["records"]!.AsArray().Select(r => r!.GetValue<string>()));
        var verified = await AnswerAsync(await administrator.PostAsync(At($"/v1/tenants/{tenant}/domains/{domain}/verify"), null), HttpStatusCode.OK);
        Stage.Require(verified["status"]!.GetValue<string>() == "verified", verified.ToJsonString());
        return (tenant, made["apiKey"]!.GetValue<string>());
    }

    /// <summary>A message, as it is posted.</summary>
    public static object Letter(string domain, string recipient) => new { from = new { email = "me@" + domain }, to = new[] { new { email = recipient } }, subject = "x", text = "hello" };
}
