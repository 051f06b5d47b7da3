using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Angarium.Host.Logging;

namespace Angarium.Host.Commands;

/// <summary>`angarium tenant|domain|credential|key|administrator|events …`: each is one call of the API. Builds the commands; they run on one thread.</summary>
internal static class TenantCommands
{
    private const string Url = "ANGARIUM_API_URL", Key = "ANGARIUM_API_KEY";

    private static readonly Option<string?> s_api = new("--api") { Description = $"Address of the API (also {Url}; else {ApiClient.DefaultAddress}).", Recursive = true, HelpName = "URL" };
    private static readonly Option<string?> s_key = new("--key") { Description = $"API key (also {Key}, which other people on the machine do not see).", Recursive = true, HelpName = "KEY" };
    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static IEnumerable<Command> Build(Option<bool> json)
    {
        var tenant = new Argument<string>("tenant") { Description = "Its id." };
        var name = new Argument<string>("name") { Description = "What people call it." };
        var domain = new Argument<string>("domain") { Description = "Such as example.org." };
        var first = new Option<string?>("--domain") { Description = "Its first sending domain." };
        var scopes = new Option<string>("--scopes") { Description = "Of send, read and manage, with commas.", DefaultValueFactory = _ => "send" };
        var pool = new Argument<string>("pool") { Description = "Its name; `default` is the one that every tenant begins in." };
        var user = new Argument<string>("user") { Description = "As it is used to log in." };
        var id = new Argument<string>("key") { Description = "Its id, as `key list` shows it." };
        var after = new Option<string?>("--cursor") { Description = "Where to go on, as the last line of a page says." };
        var since = new Option<string?>("--since") { Description = "From this time on, such as 2026-11-27T12:00:00Z." };
        var limit = new Option<int>("--limit") { Description = "Most events.", DefaultValueFactory = _ => 100 };

        yield return Group("tenant", "Look after tenants.",
            Make("create", "Create a tenant, with an API key, an SMTP credential and the records to publish.", [name, first], line => (HttpMethod.Post, "/v1/tenants", Body(("name", line.GetValue(name)), ("domain", line.GetValue(first)))), Created),
            Make("list", "Tenants by id.", [], _ => (HttpMethod.Get, "/v1/tenants", null), node => Table(node!["items"]!, ("id", "id"), ("name", "name"), ("pool", "pool"), ("paused", "paused"))),
            Make("show", "A tenant: quota, usage, domains.", [tenant], line => (HttpMethod.Get, Of(line.GetValue(tenant)), null), Indented),
            Make("pool", "Send its mail by an egress pool from now on, also what is queued.", [tenant, pool], line => (HttpMethod.Patch, Of(line.GetValue(tenant)), Body(("pool", line.GetValue(pool)))), node => Pairs(node!, "id", "pool")),
            Make("pause", "Take no more of its mail.", [tenant], line => (HttpMethod.Post, Of(line.GetValue(tenant), "/pause"), null), Done),
            Make("resume", "Take its mail again.", [tenant], line => (HttpMethod.Post, Of(line.GetValue(tenant), "/resume"), null), Done),
            Make("audit", "Every change and who made it, the newest first.", [tenant], line => (HttpMethod.Get, Of(line.GetValue(tenant), "/audit"), null),
                node => Table(node!["items"]!, ("time", "time"), ("who", "actor"), ("what", "action"), ("of", "target"))),
            Make("delete", "Nobody logs in or sends for it any more; what was accepted is delivered.", [tenant], line => (HttpMethod.Delete, Of(line.GetValue(tenant)), null), Done));
        yield return Group("domain", "Look after the domains that tenants send as.",
            Make("add", "Add a sending domain; prints the records to publish.", [tenant, domain], line => (HttpMethod.Post, Of(line.GetValue(tenant), "/domains"), Body(("name", line.GetValue(domain)))), Records),
            Make("list", "Sending domains.", [tenant], line => (HttpMethod.Get, Of(line.GetValue(tenant), "/domains"), null), node => Table(node!["items"]!, ("domain", "name"), ("status", "status"), ("since", "since"))),
            Make("show", "The records to publish.", [tenant, domain], line => (HttpMethod.Get, Of(line.GetValue(tenant), "/domains/", line.GetValue(domain)), null), Records),
            Make("verify", "Look the records up now.", [tenant, domain], line => (HttpMethod.Post, Of(line.GetValue(tenant), "/domains/", line.GetValue(domain), "/verify"), null), Records),
            Make("rotate", "Make new DKIM keys; prints the records to publish.", [tenant, domain], line => (HttpMethod.Post, Of(line.GetValue(tenant), "/domains/", line.GetValue(domain), "/keys"), null), Records),
            Make("remove", "Remove a sending domain.", [tenant, domain], line => (HttpMethod.Delete, Of(line.GetValue(tenant), "/domains/", line.GetValue(domain)), null), Done));
        yield return Group("credential", "Look after names and passwords of submission.",
            Make("add", "Make one; its password is shown once.", [tenant, name], line => (HttpMethod.Post, Of(line.GetValue(tenant), "/credentials"), Body(("name", line.GetValue(name)))), node => Pairs(node!, "user", "password")),
            Make("list", "Those of a tenant, without their passwords.", [tenant], line => (HttpMethod.Get, Of(line.GetValue(tenant), "/credentials"), null), node => Table(node!["items"]!, ("user", "user"), ("name", "name"), ("created", "created"))),
            Make("remove", "Take one away.", [tenant, user], line => (HttpMethod.Delete, Of(line.GetValue(tenant), "/credentials/", line.GetValue(user)), null), Done));
        yield return Group("key", "Look after API keys.",
            Make("add", "Make one; it is shown once.", [tenant, name, scopes], line => (HttpMethod.Post, Of(line.GetValue(tenant), "/keys"), new JsonObject
            {
                ["name"] = line.GetValue(name), ["scopes"] = new JsonArray([.. line.GetValue(scopes)!.Split(',').Select(s => (JsonNode)s.Trim())]),
            }), node => Pairs(node!, "id", "key")),
            Make("list", "Those of a tenant, without the keys themselves.", [tenant], line => (HttpMethod.Get, Of(line.GetValue(tenant), "/keys"), null), node => Table(node!["items"]!, ("id", "id"), ("name", "name"), ("scopes", "scopes"), ("created", "created"))),
            Make("remove", "Take one away.", [tenant, id], line => (HttpMethod.Delete, Of(line.GetValue(tenant), "/keys/", line.GetValue(id)), null), Done));
        yield return Group("administrator", "Look after administrators' keys.",
            Make("add", "Make one; it is shown once.", [name], line => (HttpMethod.Post, "/v1/administrators", Body(("name", line.GetValue(name)))), node => Pairs(node!, "id", "key")),
            Make("list", "Those besides the one of the configuration, without the keys themselves.", [], _ => (HttpMethod.Get, "/v1/administrators", null), node => Table(node!["items"]!, ("id", "id"), ("name", "name"), ("by", "createdBy"), ("created", "created"))),
            Make("remove", "Take one away.", [id], line => (HttpMethod.Delete, "/v1/administrators/" + Uri.EscapeDataString(line.GetValue(id)!), null), Done));
        var events = Make("events", "Every step of every recipient, oldest first; the last line says where to go on.", [after, since, limit],
            line => (HttpMethod.Get, $"/v1/events?limit={line.GetValue(limit)}{Query("cursor", line.GetValue(after))}{Query("since", line.GetValue(since))}", null), Events);
        foreach (var option in new Option[] { s_api, s_key }) events.Options.Add(option);
        yield return events;

        static Command Group(string word, string help, params Command[] commands)
        {
            var group = new Command(word, help);
            foreach (var command in commands) group.Subcommands.Add(command);
            foreach (var option in new Option[] { s_api, s_key }) group.Options.Add(option);
            return group;
        }

        Command Make(string word, string help, Symbol[] symbols, Func<ParseResult, (HttpMethod Method, string Path, JsonNode? Body)> request, Action<JsonNode?> print)
        {
            var command = new Command(word, help);
            foreach (var symbol in symbols)
            {
                if (symbol is Argument argument) command.Arguments.Add(argument);
                else command.Options.Add((Option)symbol);
            }

            command.SetAction((line, token) => CommandLine.GuardedAsync(async () =>
            {
                using var api = new ApiClient(line.GetValue(s_api) ?? Environment.GetEnvironmentVariable(Url), line.GetValue(s_key) ?? Environment.GetEnvironmentVariable(Key));
                var (method, path, body) = request(line);
                var answer = await api.SendAsync(method, path, body, token);
                if (line.GetValue(json)) Console.Out.WriteLine(answer?.ToJsonString(s_indented) ?? "{}");
                else print(answer);
                return 0;
            }));
            return command;
        }
    }

    private static string Of(string? tenant, params string?[] rest) => "/v1/tenants/" + Uri.EscapeDataString(tenant!) + string.Concat(rest.Select((part, i) => i % 2 == 0 ? part : Uri.EscapeDataString(part!)));

    private static string Query(string name, string? value) => value is null ? "" : $"&{name}={Uri.EscapeDataString(value)}";

    private static JsonObject Body(params (string Name, string? Value)[] members)
    {
        var body = new JsonObject();
        foreach (var (name, value) in members)
            if (value is not null) body[name] = value;
        return body;
    }

    private static void Created(JsonNode? node)
    {
        Pairs(node!["tenant"]!, "id", "name");
        Console.Out.WriteLine($"API key   {node["apiKey"]}\nSMTP user {node["smtp"]!["user"]}\npassword  {node["smtp"]!["password"]}");
        var records = node["records"]!.AsArray();
        if (records.Count == 0) return;
        Console.Out.WriteLine("\nPublish these records, then `angarium domain verify`:\n");
        foreach (var record in records) Console.Out.WriteLine(record);
    }

    private static void Records(JsonNode? node)
    {
        Console.Out.WriteLine($"{node!["name"]} is {node["status"]}.");
        foreach (var record in node["records"]!.AsArray())
        {
            var state = record!["state"]?.ToString();
            Console.Out.WriteLine($"{state ?? "",-8}{record["name"]}. IN {record["type"]} {(record["type"]!.ToString() == "TXT" ? $"\"{record["value"]}\"" : record["value"] + ".")}");
            if (state is null or "ok") continue;
            foreach (var found in record["found"]?.AsArray() ?? []) Console.Out.WriteLine($"        found: {Printable.Line(found!.ToString())}");
        }
    }

    private static void Events(JsonNode? node)
    {
        foreach (var one in node!["events"]!.AsArray())
            Console.Out.WriteLine(Printable.Line($"{one!["time"]} {one["type"],-9} {one["message"]} {one["sender"]} → {one["recipient"]} {one["reply"]}"));
        Console.Out.WriteLine($"cursor {node["cursor"]}");
    }

    private static void Pairs(JsonNode node, params string[] names)
    {
        foreach (var name in names) Console.Out.WriteLine($"{name,-9} {node[name]}");
    }

    private static void Table(JsonNode items, params (string Title, string Member)[] columns) => QueueCommands.Table(
        [[.. columns.Select(c => c.Title)], .. items.AsArray().Select(item => columns.Select(c => item![c.Member] is JsonArray list ? string.Join(',', list.Select(one => one!.ToString())) : Printable.Line(item[c.Member]?.ToString() ?? "")).ToArray())]);

    private static void Indented(JsonNode? node) => Console.Out.WriteLine(node!.ToJsonString(s_indented));

    private static void Done(JsonNode? node) => Console.Out.WriteLine("Done.");
}
