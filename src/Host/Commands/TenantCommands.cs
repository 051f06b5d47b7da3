using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Angarium.Host.Control;
using Angarium.Host.Logging;

namespace Angarium.Host.Commands;

/// <summary>`angarium tenant|domain|inbound|credential|key|administrator|webhook|events …`: each is one call of the API. Builds the commands; they run on one thread.</summary>
internal static class TenantCommands
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60), s_followEvery = TimeSpan.FromSeconds(1);

    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <param name="json">Whether the answer is printed as it came.</param>
    /// <param name="open">Whom the line means, where operators ask without a key.</param>
    public static IEnumerable<Command> Build(Option<bool> json, Func<ParseResult, ApiClient> open)
    {
        var tenant = new Argument<string>("tenant") { Description = "Its id." };
        var name = new Argument<string>("name") { Description = "What people call it." };
        var domain = new Argument<string>("domain") { Description = "Such as example.org." };
        var first = new Option<string?>("--domain") { Description = "Its first sending domain." };
        var scopes = new Option<string>("--scopes") { Description = "Of send, read and manage, with commas.", DefaultValueFactory = _ => "send" };
        var pool = new Argument<string>("pool") { Description = "Its name; `default` is the one that every tenant begins in." };
        var newName = new Option<string?>("--name") { Description = "What people call it." };
        var verp = new Option<string?>("--verp") { Description = "`recipient`: each recipient has a return path of its own; `none`." };
        var quota = new Option<string?>("--quota") { Description = "All of its quota, such as perSecond=100,perDay=100000; of perSecond, perHour, perDay, connections, recipients and size. What is not named has no limit." };
        var user = new Argument<string>("user") { Description = "As it is used to log in." };
        var id = new Argument<string>("key") { Description = "Its id, as `key list` shows it." };
        var route = new Option<string?>("--route") { Description = "Host that takes its mail, such as mail.example.org:25; empty = by MX." };
        var recipient = new Option<string[]>("--recipient") { Description = "Local part or address; may be repeated. Without any, mail for anybody is taken." };
        var catchAll = new Option<bool?>("--catch-all") { Description = "Whether mail for those that are not named is taken too." };
        var isPrivate = new Option<bool?>("--private") { Description = "The route may lead to addresses that are not public (administrators only)." };
        var recipients = new Argument<string[]>("recipients") { Description = "Local parts or addresses.", Arity = ArgumentArity.OneOrMore };
        var oneRecipient = new Argument<string>("recipient") { Description = "Local part or address." };
        var from = new Option<string?>("--after") { Description = "Where to go on: the last one of the page before." };
        var url = new Argument<string>("url") { Description = "Such as https://example.org/events." };
        var webhook = new Argument<string>("webhook") { Description = "Its id, as `webhook list` shows it." };
        var types = new Option<string?>("--events") { Description = "Types of events, with commas; `all` for all, as without it." };
        var newUrl = new Option<string?>("--url") { Description = "Its new address." };
        var after = new Option<string?>("--cursor") { Description = "Where to go on, as the last line of a page says." };
        var since = new Option<string?>("--since") { Description = "From this time on, such as 2026-11-27T12:00:00Z." };
        var limit = new Option<int>("--limit") { Description = "Most events.", DefaultValueFactory = _ => 100 };

        yield return Group("tenant", "Look after tenants.",
            Make("create", "Create a tenant, with an API key, an SMTP credential and the records to publish.", [name, first], line => (HttpMethod.Post, "/v1/tenants", Body(("name", line.GetValue(name)), ("domain", line.GetValue(first)))), Created),
            Make("list", "Tenants by id.", [], _ => (HttpMethod.Get, "/v1/tenants", null), node => Table(node!["items"]!, ("id", "id"), ("name", "name"), ("pool", "pool"), ("paused", "paused"))),
            Make("show", "A tenant: quota, usage, domains.", [tenant], line => (HttpMethod.Get, Of(line.GetValue(tenant)), null), Indented),
            Make("pool", "Send its mail by an egress pool from now on, also what is queued.", [tenant, pool], line => (HttpMethod.Patch, Of(line.GetValue(tenant)), Body(("pool", line.GetValue(pool)))), node => Pairs(node!, "id", "pool")),
            Make("set", "Change its name, return path or quota (the quota: administrators only).", [tenant, newName, verp, quota], line =>
            {
                var body = Body(("name", line.GetValue(newName)), ("verp", line.GetValue(verp)));
                if (line.GetValue(quota) is { } limits) body["quota"] = Quota(limits);
                return (HttpMethod.Patch, Of(line.GetValue(tenant)), body);
            }, Indented),
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
        yield return Group("inbound", "Look after the domains that the relay takes mail from the internet for.",
            Make("add", "Take mail for a verified domain of the tenant.", [tenant, domain, route, recipient, catchAll, isPrivate], line =>
            {
                var body = Body(("domain", line.GetValue(domain)), ("route", line.GetValue(route)));
                if (line.GetValue(recipient) is { Length: > 0 } named) body["recipients"] = Strings(named);
                return (HttpMethod.Post, Of(line.GetValue(tenant), "/inbound"), Flags(body, line));
            }, Indented),
            Make("list", "Inbound domains of a tenant.", [tenant, from], line => (HttpMethod.Get, Of(line.GetValue(tenant), "/inbound?limit=100" + QueueCommands.Query("after", line.GetValue(from))), null),
                node => Table(node!["items"]!, ("domain", "domain"), ("status", "status"), ("route", "route"), ("catch all", "catchAll"), ("recipients", "recipients"))),
            Make("show", "An inbound domain.", [tenant, domain], line => (HttpMethod.Get, Of(line.GetValue(tenant), "/inbound/", line.GetValue(domain)), null), Indented),
            Make("change", "Give it another route, or let it catch all.", [tenant, domain, route, catchAll, isPrivate],
                line => (HttpMethod.Patch, Of(line.GetValue(tenant), "/inbound/", line.GetValue(domain)), Flags(Body(("route", line.GetValue(route))), line)), Indented),
            Make("remove", "Take no more mail for it.", [tenant, domain], line => (HttpMethod.Delete, Of(line.GetValue(tenant), "/inbound/", line.GetValue(domain)), null), Done),
            new Command("recipients", "Look after the recipients of an inbound domain that are named.")
            {
                Make("list", "In order.", [tenant, domain, from], line => (HttpMethod.Get, Of(line.GetValue(tenant), "/inbound/", line.GetValue(domain), "/recipients?limit=1000" + QueueCommands.Query("after", line.GetValue(from))), null), Lines),
                Make("add", "Name more.", [tenant, domain, recipients], line => (HttpMethod.Post, Of(line.GetValue(tenant), "/inbound/", line.GetValue(domain), "/recipients"), new JsonObject { ["recipients"] = Strings(line.GetValue(recipients)!) }), Indented),
                Make("remove", "Name one no more.", [tenant, domain, oneRecipient], line => (HttpMethod.Delete, Of(line.GetValue(tenant), "/inbound/", line.GetValue(domain), "/recipients/", line.GetValue(oneRecipient)), null), Done),
            });
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
        yield return Group("webhook", "Look after where a tenant's events are posted to.",
            Make("add", "Make one; its secret is shown once.", [tenant, url, types], line => (HttpMethod.Post, Of(line.GetValue(tenant), "/webhooks"), Webhook(line.GetValue(url), line.GetValue(types))), Secret),
            Make("list", "Those of a tenant, and how they stand.", [tenant], line => (HttpMethod.Get, Of(line.GetValue(tenant), "/webhooks"), null),
                node => Table(node!["items"]!, ("id", "id"), ("status", "status"), ("last", "lastResult"), ("next try", "nextTry"), ("events", "events"), ("url", "url"))),
            Make("show", "One of them.", [tenant, webhook], line => (HttpMethod.Get, Of(line.GetValue(tenant), "/webhooks/", line.GetValue(webhook)), null), Indented),
            Make("change", "Give it another address or other types of events.", [tenant, webhook, newUrl, types], line => (HttpMethod.Patch, Of(line.GetValue(tenant), "/webhooks/", line.GetValue(webhook)), Webhook(line.GetValue(newUrl), line.GetValue(types))), Indented),
            Make("rotate", "Make a new secret, which is shown once; for a day posts are signed with the one before, too.", [tenant, webhook], line => (HttpMethod.Post, Of(line.GetValue(tenant), "/webhooks/", line.GetValue(webhook), "/rotate"), null), Secret),
            Make("enable", "Have it posted to again, at once.", [tenant, webhook], line => (HttpMethod.Post, Of(line.GetValue(tenant), "/webhooks/", line.GetValue(webhook), "/enable"), null), Done),
            Make("test", "Post an event of the type `test` to it.", [tenant, webhook], line => (HttpMethod.Post, Of(line.GetValue(tenant), "/webhooks/", line.GetValue(webhook), "/test"), null), Tested),
            Make("remove", "Take it away.", [tenant, webhook], line => (HttpMethod.Delete, Of(line.GetValue(tenant), "/webhooks/", line.GetValue(webhook)), null), Done));
        var follow = new Option<bool>("--follow") { Description = "Go on as they come, from now on unless --since or --cursor says otherwise." };
        var whose = new Option<string?>("--tenant") { Description = "One tenant's alone (administrators)." };
        var events = new Command("events", "Every step of every recipient, oldest first; the last line says where to go on.") { after, since, limit, whose, follow };
        events.SetAction((line, token) => CommandLine.GuardedAsync(async () =>
        {
            using var api = open(line);
            var query = $"limit={line.GetValue(limit)}{QueueCommands.Query("tenant", line.GetValue(whose))}";
            if (!line.GetValue(follow))
            {
                var page = (await api.SendAsync(HttpMethod.Get, $"/v1/events?{query}{QueueCommands.Query("cursor", line.GetValue(after))}{QueueCommands.Query("since", line.GetValue(since))}", null, token))!;
                if (line.GetValue(json)) Console.Out.WriteLine(page.ToJsonString(s_indented));
                else Events(page);
                return 0;
            }

            var from = line.GetValue(since) ?? (line.GetValue(after) is null ? DateTimeOffset.UtcNow.ToString("O", CultureInfo.InvariantCulture) : null);
            return await FollowAsync(api, query, line.GetValue(after), from, line.GetValue(json), token);
        }));
        foreach (var option in new Option[] { ApiClient.Address, ApiClient.Key }) events.Options.Add(option);
        yield return events;

        static Command Group(string word, string help, params Command[] commands)
        {
            var group = new Command(word, help);
            foreach (var command in commands) group.Subcommands.Add(command);
            foreach (var option in new Option[] { ApiClient.Address, ApiClient.Key }) group.Options.Add(option);
            return group;
        }

        JsonObject Flags(JsonObject body, ParseResult line)
        {
            if (line.GetValue(catchAll) is { } catches) body["catchAll"] = catches;
            if (line.GetValue(isPrivate) is { } hidden) body["private"] = hidden;
            return body;
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
                using var api = ApiClient.OverHttp(line, s_patience);
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

    private static JsonObject Body(params (string Name, string? Value)[] members)
    {
        var body = new JsonObject();
        foreach (var (name, value) in members)
            if (value is not null) body[name] = value;
        return body;
    }

    private static JsonArray Strings(string[] texts) => new([.. texts.Select(text => (JsonNode)text)]);

    private static void Lines(JsonNode? node)
    {
        foreach (var one in node!["items"]!.AsArray()) Console.Out.WriteLine(Printable.Line(one!.ToString()));
    }

    private static JsonObject Webhook(string? url, string? types)
    {
        var body = Body(("url", url));
        if (types is not null) body["events"] = new JsonArray([.. types.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Where(type => type != "all").Select(type => (JsonNode)type)]);
        return body;
    }

    /// <exception cref="CommandException">It is none.</exception>
    private static JsonObject Quota(string text)
    {
        var quota = new JsonObject();
        foreach (var pair in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = pair.Split('=', 2, StringSplitOptions.TrimEntries);
            if (parts.Length < 2 || !double.TryParse(parts[1], NumberStyles.Float, CultureInfo.InvariantCulture, out var number) || !double.IsFinite(number))
                throw new CommandException($"--quota: `{pair}` is no limit, such as perSecond=100.");
            // Whole numbers as such: the API takes no 100.0 for a count.
            quota[parts[0]] = long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var whole) ? whole : number;
        }

        return quota;
    }

    private static void Secret(JsonNode? node)
    {
        Pairs(node!["webhook"]!, "id", "url");
        Pairs(node, "secret");
    }

    /// <exception cref="CommandException">It was not taken.</exception>
    private static void Tested(JsonNode? node)
    {
        var what = node!["status"] is { } status ? $"status {status}" : node["detail"]?.ToString() ?? "";
        if (!node["taken"]!.GetValue<bool>()) throw new CommandException($"it did not take it: {what}.");
        Console.Out.WriteLine($"Taken in {node["milliseconds"]} ms: {what}.");
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
        foreach (var one in node!["events"]!.AsArray()) Console.Out.WriteLine(Event(one!));
        Console.Out.WriteLine($"cursor {node["cursor"]}");
    }

    private static string Event(JsonNode one) => Printable.Line($"{one["time"]} {one["type"],-9} {one["message"]} {one["sender"]} → {one["recipient"]} {one["reply"]}");

    /// <summary>Prints events as they come until it is ended; with `--json` one document a line. An API that is away is asked again: by its cursor nothing is missed.</summary>
    private static async Task<int> FollowAsync(ApiClient api, string query, string? cursor, string? since, bool json, CancellationToken cancellationToken)
    {
        for (var wasAway = false; !cancellationToken.IsCancellationRequested;)
        {
            var isMore = false;
            try
            {
                var page = (await api.SendAsync(HttpMethod.Get, $"/v1/events?{query}{(cursor is null ? QueueCommands.Query("since", since) : QueueCommands.Query("cursor", cursor))}", null, cancellationToken))!;
                foreach (var one in page["events"]!.AsArray()) Console.Out.WriteLine(json ? one!.ToJsonString(QueueCommands.Readable) : Event(one!));
                (cursor, isMore, wasAway) = (page["cursor"]!.ToString(), page["more"]!.GetValue<bool>(), false);
            }
            catch (CommandException e) when (e.IsUnreachable && cursor is not null)
            {
                if (!wasAway) await Console.Error.WriteLineAsync($"angarium: {e.Message} It is asked again.");
                wasAway = true;
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                break;
            }

            if (!isMore) await Task.Delay(s_followEvery, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return 0;
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
