using System.Globalization;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using MimeKit;

namespace Angarium.Host.Sink;

/// <summary>
/// The sink's pages: a list, one message, and both as JSON for scripts. Mail is hostile: it is shown as escaped text under a policy that runs no script and
/// loads nothing. Any thread.
/// </summary>
internal static class SinkPages
{
    private const int Listed = 200;
    private const int MaxShown = 256 << 10;

    private const string Style = """
        :root{color-scheme:light dark;--line:#8883;--soft:#8889;--accent:#8a5a2b}
        body{font:15px/1.5 system-ui,sans-serif;max-width:68rem;margin:0 auto;padding:2rem 1.25rem}
        h1{font-size:1.35rem;margin:0}h1 a{color:inherit;text-decoration:none}
        header{display:flex;align-items:baseline;gap:1rem;border-bottom:2px solid var(--accent);padding-bottom:.6rem;margin-bottom:1.2rem}
        header p{margin:0;color:var(--soft);flex:1}
        table{border-collapse:collapse;width:100%;table-layout:fixed}th{text-align:left;font-weight:500;color:var(--soft)}
        th,td{padding:.45rem .6rem;border-bottom:1px solid var(--line);overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
        tr:hover td{background:#8881}a{color:var(--accent)}td.n,th.n{text-align:right;width:5.5rem}th.t{width:6rem}
        pre{background:#8881;border:1px solid var(--line);border-radius:6px;padding:1rem;overflow-x:auto;font:13px/1.45 ui-monospace,monospace}
        dl{display:grid;grid-template-columns:7rem 1fr;gap:.2rem .8rem;margin:0 0 1.2rem}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
        .empty{color:var(--soft);padding:3rem 0;text-align:center}
        """;

    public static void MapSink(this IEndpointRouteBuilder endpoints, SinkStore store, Func<string> firstMail)
    {
        endpoints.MapGet("/", (HttpContext context) => PageAsync(context, "Angarium sink", List(store, firstMail()), refresh: true));
        endpoints.MapGet("/messages/{id:long}", (HttpContext context, long id) => store.Find(id) is { } message
            ? PageAsync(context, SubjectOf(message), Show(message), refresh: false)
            : PageAsync(context, "Not here", "<p class=empty>The sink does not have this message (any more).</p>", refresh: false, StatusCodes.Status404NotFound));
        endpoints.MapGet("/messages/{id:long}/source", (long id) => store.Find(id) is { } message
            ? Results.Bytes(message.Content.ToArray(), "text/plain; charset=utf-8")
            : Results.NotFound());
        endpoints.MapGet("/sink/messages", (int? limit) => Results.Json(new
        {
            received = store.Received,
            messages = store.Latest(Math.Clamp(limit ?? Listed, 0, 1_000_000)).Select(message => new
            {
                id = message.Id,
                received = message.Received,
                client = message.Client,
                from = message.ReversePath,
                recipients = message.Recipients,
                size = message.Content.Length,
                subject = SubjectOf(message),
            }),
        }));
    }

    /// <summary>Decoded for people; never more than the header's first 64 KiB is looked at.</summary>
    internal static string SubjectOf(SinkMessage message)
    {
        try
        {
            using var head = new MemoryStream(message.Content[..Math.Min(message.Content.Length, 64 << 10)].ToArray());
            var subject = new MimeParser(head).ParseHeaders()[HeaderId.Subject];
            return string.IsNullOrWhiteSpace(subject) ? "(no subject)" : subject;
        }
        catch (FormatException)
        {
            return "(no header)";
        }
    }

    private static string List(SinkStore store, string firstMail)
    {
        var messages = store.Latest(Listed);
        if (messages.Count == 0) return $"<p class=empty>Nothing has arrived yet. This line sends a first message:</p><pre>{Escape(firstMail)}</pre>";
        var page = new StringBuilder("<table><thead><tr><th class=t>Time</th><th>From</th><th>To</th><th>Subject</th><th class=n>Octets</th></tr></thead><tbody>");
        foreach (var message in messages)
        {
            page.Append(CultureInfo.InvariantCulture, $"""
                <tr><td>{message.Received.ToLocalTime():HH:mm:ss}</td><td>{Escape(FromOf(message))}</td><td>{Escape(ToOf(message))}</td><td><a href="/messages/{message.Id}">{Escape(SubjectOf(message))}</a></td><td class=n>{message.Content.Length}</td></tr>

                """);
        }

        page.Append("</tbody></table>");
        return store.Received <= messages.Count ? page.ToString() : page.Append(CultureInfo.InvariantCulture, $"<p>The latest {messages.Count} of {store.Received}.</p>").ToString();
    }

    private static string Show(SinkMessage message)
    {
        var shown = Encoding.UTF8.GetString(message.Content.Span[..Math.Min(message.Content.Length, MaxShown)]);
        var cut = message.Content.Length > MaxShown ? "\n[…]" : "";
        return $"""
            <dl><dt>Received</dt><dd>{message.Received.ToLocalTime():yyyy-MM-dd HH:mm:ss zzz} from {Escape(message.Client)}</dd>
            <dt>MAIL FROM</dt><dd>{Escape(FromOf(message))}</dd><dt>RCPT TO</dt><dd>{Escape(string.Join(", ", message.Recipients))}</dd>
            <dt>Size</dt><dd>{message.Content.Length} octets, <a href="/messages/{message.Id}/source">source</a></dd></dl>
            <pre>{Escape(shown)}{cut}</pre>
            """;
    }

    private static string FromOf(SinkMessage message) => message.ReversePath.Length == 0 ? "<>" : message.ReversePath;

    private static string ToOf(SinkMessage message) => message.Recipients.Count == 1 ? message.Recipients[0] : $"{message.Recipients[0]} and {message.Recipients.Count - 1} more";

    private static Task PageAsync(HttpContext context, string title, string body, bool refresh, int status = StatusCodes.Status200OK)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/html; charset=utf-8";
        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers.CacheControl = "no-store";
        return context.Response.WriteAsync($"""
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">{(refresh ? "<meta http-equiv=\"refresh\" content=\"3\">" : "")}
            <title>{Escape(title)}</title><style>{Style}</style></head>
            <body><header><h1><a href="/">Angarium sink</a></h1><p>What the relay delivered here. Nothing leaves this machine.</p></header>
            {body}
            </body></html>
            """);
    }

    private static string Escape(string text) => WebUtility.HtmlEncode(text);
}
