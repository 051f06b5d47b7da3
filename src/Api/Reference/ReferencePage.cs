using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;

namespace Angarium.Api.Reference;

/// <summary>
/// The API's reference for people, at `/docs`: its own OpenAPI document as one page without a script, and what each kind of problem means. Made at the first request, then kept. Any thread.
/// </summary>
internal static class ReferencePage
{
    private const string Style = """
        :root{color-scheme:light dark;--line:#8883;--soft:#888;--accent:#8a5a2b}
        body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:2rem 1.25rem}
        h1{font-size:1.35rem;border-bottom:2px solid var(--accent);padding-bottom:.6rem}h2{font-size:1.1rem;margin:2.2rem 0 .6rem}
        details{border:1px solid var(--line);border-radius:6px;margin:.4rem 0;padding:.45rem .8rem}summary{cursor:pointer}
        code{font:13px ui-monospace,monospace}summary b{display:inline-block;width:4.2rem;color:var(--accent)}summary span{color:var(--soft);display:block;margin-left:4.2rem}
        table{border-collapse:collapse;width:100%;margin:.4rem 0}td,th{padding:.25rem .5rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}th{font-weight:500;color:var(--soft)}a{color:var(--accent)}
        """;

    private static readonly (string Kind, string Meaning)[] s_problems =
    [
        ("unauthorized", "There is no key, or it is none that is known here."), ("forbidden", "The key is good, and not for that."), ("not-found", "There is no such thing, or it is another's: nobody is told which."),
        ("malformed", "The request is not JSON, or a member is not of its type; `field` names it."), ("invalid", "A member or parameter is not what it has to be; `field` names it."), ("conflict", "It is there already."),
        ("full", "There is no room for one more."), ("changed", "It was changed since it was read (`If-Match`)."), ("media-type", "Another type of content is asked for."), ("method", "This path does not take that method."),
        ("too-large", "The request has too many octets."), ("too-many-requests", "The key asks too often; see `Retry-After`."), ("over-quota", "The tenant's quota is used up; see `Retry-After`."), ("refused", "The message cannot be sent, and sending it again changes nothing."),
        ("running", "The first request of this `Idempotency-Key` is being carried out."), ("unavailable", "Not now: try again in a moment."), ("internal", "The relay failed at it: its log says how."),
    ];

    public static void MapReference(this IEndpointRouteBuilder endpoints)
    {
        var page = new Lazy<Task<string>>(() => MakeAsync(endpoints.ServiceProvider.GetRequiredKeyedService<IOpenApiDocumentProvider>("v1")));
        endpoints.MapGet("/docs", async (HttpContext context) =>
        {
            context.Response.Headers.ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
            return Results.Content(await page.Value, "text/html; charset=utf-8");
        });
    }

    private static async Task<string> MakeAsync(IOpenApiDocumentProvider provider)
    {
        var document = await provider.GetOpenApiDocumentAsync(CancellationToken.None);
        return Html(JsonNode.Parse(await document.SerializeAsJsonAsync(OpenApiSpecVersion.OpenApi3_1))!);
    }

    internal static string Html(JsonNode document)
    {
        var page = new StringBuilder("<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'><title>Angarium API</title><style>").Append(Style).Append("</style>");
        page.Append("<h1>Angarium API</h1><p>Send <code>Authorization: Bearer</code> with an API key. The same as <a href=/openapi/v1.json>OpenAPI 3.1</a>. Each refusal is a problem (RFC 9457) of one of the <a href=#problems>kinds below</a>.</p>");
        page.Append("<p>Every POST takes an <code>Idempotency-Key</code>: sent again with it within 24 hours, a request is answered as the first time and not carried out again.</p>");
        var operations = document["paths"]!.AsObject().SelectMany(path => path.Value!.AsObject().Where(one => one.Value is JsonObject).Select(one => (Path: path.Key, Method: one.Key, Of: one.Value!))).ToList();
        foreach (var tag in operations.GroupBy(one => one.Of["tags"]?[0]?.GetValue<string>() ?? "Others"))
        {
            page.Append("<h2>").Append(Escape(tag.Key)).Append("</h2>");
            foreach (var (path, method, of) in tag) Operation(page, document, path, method, of);
        }

        page.Append("<h2 id=problems>Problems</h2><table>");
        foreach (var (kind, meaning) in s_problems) page.Append("<tr id=problem-").Append(kind).Append("><td><code>").Append(kind).Append("</code><td>").Append(Marked(meaning));
        return page.Append("</table></html>").ToString();
    }

    private static void Operation(StringBuilder page, JsonNode document, string path, string method, JsonNode of)
    {
        page.Append("<details id=").Append(Escape(of["operationId"]?.GetValue<string>() ?? "")).Append("><summary><b>").Append(Escape(method.ToUpperInvariant())).Append("</b><code>").Append(Escape(path)).Append("</code><span>")
            .Append(Marked(of["summary"]?.GetValue<string>() ?? "")).Append("</span></summary>");
        var parameters = of["parameters"] as JsonArray ?? [];
        if (parameters.Count > 0)
        {
            page.Append("<table><tr><th>Parameter<th>In<th>Type");
            foreach (var one in parameters) Row(page, one!["name"]!.GetValue<string>(), one["in"]!.GetValue<string>(), TypeOf(document, one["schema"]));
            page.Append("</table>");
        }

        if (of["requestBody"]?["content"]?["application/json"]?["schema"] is { } asked) Members(page, document, "Member of the request", asked);
        foreach (var (status, response) in of["responses"] as JsonObject ?? [])
            if (response?["content"]?["application/json"]?["schema"] is { } answered) Members(page, document, "Member of the answer " + status, answered);
        page.Append("</details>");
    }

    private static void Members(StringBuilder page, JsonNode document, string title, JsonNode schema)
    {
        page.Append("<table><tr><th>").Append(Escape(title)).Append("<th>Type<th>");
        Members(page, document, schema, "", 0);
        page.Append("</table>");
    }

    private static void Members(StringBuilder page, JsonNode document, JsonNode schema, string within, int depth)
    {
        var resolved = Resolve(document, schema);
        var required = (resolved["required"] as JsonArray ?? []).Select(one => one!.GetValue<string>()).ToHashSet();
        foreach (var (name, member) in resolved["properties"] as JsonObject ?? [])
        {
            var type = TypeOf(document, member);
            Row(page, within + name, type + (required.Contains(name) ? ", required" : ""), (member?["description"] ?? Resolve(document, member)["description"])?.GetValue<string>() ?? "");
            if (depth < 2 && (member?["items"] ?? member) is { } inner) Members(page, document, inner, within + name + (member?["items"] is null ? "." : "[]."), depth + 1);
        }
    }

    private static void Row(StringBuilder page, string name, string second, string third) =>
        page.Append("<tr><td><code>").Append(Escape(name)).Append("</code><td>").Append(Escape(second)).Append("<td>").Append(Marked(third));

    private static string TypeOf(JsonNode document, JsonNode? schema)
    {
        var resolved = Resolve(document, schema);
        var type = resolved["type"] is JsonArray many ? string.Join(" or ", many.Select(one => one!.GetValue<string>())) : resolved["type"]?.GetValue<string>() ?? "";
        if (resolved["format"]?.GetValue<string>() is { } format) type += $" ({format})";
        return type;
    }

    private static JsonNode Resolve(JsonNode document, JsonNode? schema)
    {
        if (schema is null) return new JsonObject();
        // A member that may be null is one of two.
        if (schema["oneOf"] is JsonArray some && some.FirstOrDefault(one => one?["$ref"] is not null) is { } other) schema = other;
        return schema["$ref"]?.GetValue<string>() is { } reference ? document["components"]?["schemas"]?[reference[(reference.LastIndexOf('/') + 1)..]] ?? new JsonObject() : schema;
    }

    private static string Escape(string text) => WebUtility.HtmlEncode(text);

    /// <summary>Words in backticks are code.</summary>
    private static string Marked(string text) => string.Concat(Escape(text).Split('`').Select((part, i) => i % 2 == 0 ? part : $"<code>{part}</code>"));
}
