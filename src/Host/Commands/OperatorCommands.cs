using System.CommandLine;
using System.Text.Json.Nodes;
using Angarium.Host.Configuration;
using Angarium.Host.Control;
using Angarium.Host.Logging;
using Angarium.Host.Serving;
using static Angarium.Host.Commands.QueueCommands;

namespace Angarium.Host.Commands;

/// <summary>
/// `angarium queue|suspend|resume|suspensions|explain|audit …`: what operators see and order of one process or of a whole cluster, with the same words: over the socket in `Data`, or over the API. Builds the
/// commands; they run on one thread.
/// </summary>
/// <param name="json">Whether the answer is printed as it came.</param>
/// <param name="open">Whom the line means.</param>
internal sealed class OperatorCommands(Option<bool> json, Func<ParseResult, ApiClient> open)
{
    private const int BadLine = ServeCommand.ExitBadSettings;

    public IEnumerable<Command> Build()
    {
        yield return Queue();
        var kind = new Argument<string>("kind") { Description = "`site`, `tenant` or `source`." };
        var name = new Argument<string>("name") { Description = "Of a site as `explain` names it, or a domain whose mail goes there; a tenant's id; an address that mail goes out from, or the name that it greets with." };
        var lasts = new Option<string?>("--for") { Description = "How long, such as 2h; without it until it is resumed.", HelpName = "DURATION" };
        var reason = new Option<string?>("--reason") { Description = "For whoever looks." };
        yield return Make("suspend", "Send nothing to a site, of a tenant or from a source, for a time or until it is resumed, whatever restarts. Nothing of it is given up.", [kind, name, lasts, reason], async (line, api, token) =>
        {
            var body = new JsonObject { ["kind"] = line.GetValue(kind), ["name"] = line.GetValue(name), ["reason"] = line.GetValue(reason) };
            if (line.GetValue(lasts) is { } text) body["seconds"] = Seconds(text);
            var answer = (await api.SendAsync(HttpMethod.Post, "/v1/suspensions", body, token))!;
            if (line.GetValue(json)) return Print(answer);
            Console.Out.WriteLine(Printable.Line($"{answer["kind"]} {answer["name"]} is suspended until {(answer["until"] is null ? "it is resumed" : Time(answer, "until"))}."));
            return 0;
        });
        yield return Make("resume", "End a suspension.", [kind, name], async (line, api, token) =>
        {
            var answer = (await api.SendAsync(HttpMethod.Post, "/v1/suspensions/resume", new JsonObject { ["kind"] = line.GetValue(kind), ["name"] = line.GetValue(name) }, token))!;
            if (line.GetValue(json)) return Print(answer);
            Console.Out.WriteLine(Printable.Line($"{answer["kind"]} {answer["name"]} is resumed."));
            return 0;
        });
        yield return Make("suspensions", "What is suspended by operators.", [], async (line, api, token) =>
        {
            var items = (await api.SendAsync(HttpMethod.Get, "/v1/suspensions", null, token))!["items"]!;
            if (line.GetValue(json)) return Print(items);
            if (items.AsArray().Count == 0) Console.Out.WriteLine("Nothing is suspended.");
            else Table([["kind", "name", "until", "since", "by", "reason"], .. items.AsArray().Select(one => new[] { Text(one, "kind"), Printable.Line(Text(one, "name")), Time(one, "until") is { Length: > 0 } until ? until : "resumed", Time(one, "since"), Text(one, "actor"), Printable.Line(Text(one, "reason")) })]);
            return 0;
        });
        var domain = new Argument<string>("domain") { Description = "A recipient domain." };
        yield return Make("explain", "Where a domain's mail goes, and every limit in force there with the setting that it comes from.", [domain], async (line, api, token) =>
        {
            var answer = (await api.SendAsync(HttpMethod.Get, "/v1/explain/" + Uri.EscapeDataString(line.GetValue(domain)!), null, token))!;
            if (line.GetValue(json)) return Print(answer);
            Explain(answer);
            return 0;
        });
        var before = new Option<long?>("--before") { Description = "Go on before this number." };
        var limit = new Option<int>("--limit") { Description = "Most orders.", DefaultValueFactory = _ => 50 };
        yield return Make("audit", "Operators' orders, the newest first.", [before, limit], async (line, api, token) =>
        {
            var items = (await api.SendAsync(HttpMethod.Get, $"/v1/audit?limit={line.GetValue(limit)}{(line.GetValue(before) is { } number ? $"&before={number}" : "")}", null, token))!["items"]!;
            if (line.GetValue(json)) return Print(items);
            Table([["number", "time", "who", "what", "of", "detail"], .. items.AsArray().Select(one => new[] { Text(one, "number"), Time(one, "time"), Text(one, "actor"), Text(one, "action"), Printable.Line(Text(one, "target")), Printable.Line(Text(one, "detail")) })]);
            return 0;
        });
    }

    private Command Queue()
    {
        var limit = new Option<int>("--limit") { Description = "Most rows shown.", DefaultValueFactory = _ => 100 };
        var target = new Argument<string>("target") { Description = "A recipient domain, or a message id." };
        var maybe = new Argument<string?>("target") { Description = "A recipient domain, or a message id.", Arity = ArgumentArity.ZeroOrOne };
        var tenant = new Option<string?>("--tenant") { Description = "A tenant's mail alone." };
        var site = new Option<string?>("--site") { Description = "Mail for all domains of a site, as `explain` names it." };
        var all = new Option<bool>("--all") { Description = "Every domain." };
        var reason = new Option<string?>("--reason") { Description = "Kept in the audit; of what is dropped, in the ledger." };
        var bounce = new Option<bool>("--bounce") { Description = "Tell the senders, as of a failure." };
        var by = new Option<string>("--by") { Description = "`domain`, `site` or `tenant`.", DefaultValueFactory = _ => "domain" };
        var domain = new Option<string?>("--domain") { Description = "One domain alone." };
        var rows = new Option<int>("--limit") { Description = "Most rows shown.", DefaultValueFactory = _ => 50 };
        var queue = new Command("queue", "Look at the queue and change it.");
        foreach (var command in new[]
        {
            Make("list", "Domains with queued recipients, the largest first.", [limit], (line, api, token) => ListAsync(api, line.GetValue(limit), line.GetValue(json), token), isShared: true),
            Make("shape", "How many recipients are queued and how old they are, in minutes, by domain, site or tenant: as Postfix' qshape.", [by, domain, tenant, site, rows],
                (line, api, token) => ShapeAsync(api, line.GetValue(by)!, line.GetValue(domain), line.GetValue(tenant), line.GetValue(site), line.GetValue(rows), line.GetValue(json), token), isShared: true),
            Make("show", "A domain's queue: counts, site, and its recipients by due time.", [target, limit], (line, api, token) => ShowAsync(api, line.GetValue(target)!, line.GetValue(limit), line.GetValue(json), token), isShared: true),
            Make("retry", "Make queued recipients due now.", [maybe, tenant, site, all, reason], (line, api, token) =>
            {
                var order = Order(line, line.GetValue(maybe), "retry");
                if (line.GetValue(all) == (order.Count > 0)) throw new CommandException("queue retry: name a domain or a message id, or say --all.", BadLine);
                if (line.GetValue(all)) (order["all"], order["reason"]) = (true, line.GetValue(reason));
                return ChangeAsync(api, order, "retry", line.GetValue(json), token);
            }, isShared: true),
            Make("drop", "Finish queued recipients without delivery; and without a notice, unless --bounce asks for one.", [maybe, tenant, site, reason, bounce], (line, api, token) =>
            {
                var order = Order(line, line.GetValue(maybe), "drop");
                if (order.Count == 0) throw new CommandException("queue drop: name a domain, a message id, --tenant or --site.", BadLine);
                if (line.GetValue(bounce)) order["notify"] = true;
                return ChangeAsync(api, order, "drop", line.GetValue(json), token);
            }, isShared: true),
            Make("hold", "Hold a domain or a message: it is not tried and does not expire.", [target, reason], (line, api, token) => ChangeAsync(api, Order(line, line.GetValue(target), "hold"), "hold", line.GetValue(json), token), isShared: true),
            Make("release", "Release what was held.", [target, reason], (line, api, token) => ChangeAsync(api, Order(line, line.GetValue(target), "release"), "release", line.GetValue(json), token), isShared: true),
        })
        {
            queue.Subcommands.Add(command);
        }

        foreach (var option in new Option[] { ApiClient.Address, ApiClient.Key }) queue.Options.Add(option);
        return queue;

        JsonObject Order(ParseResult line, string? named, string verb)
        {
            var order = new JsonObject();
            if (named is not null) Name(order, named);
            if (verb is "retry" or "drop")
            {
                if (line.GetValue(tenant) is { } whose) order["tenant"] = whose;
                if (line.GetValue(site) is { } where) order["site"] = where;
            }

            // A reason alone names nothing.
            if (order.Count > 0 && line.GetValue(reason) is { } why) order["reason"] = why;
            return order;
        }
    }

    private static void Explain(JsonNode answer)
    {
        Console.Out.WriteLine(Printable.Line($"{answer["domain"]}: site {answer["site"]}, by {answer["from"]}"));
        if (answer["trouble"] is { } trouble) Console.Out.WriteLine(Printable.Line($"  goes nowhere now: {trouble}"));
        foreach (var host in answer["hosts"]!.AsArray()) Console.Out.WriteLine(Printable.Line($"  {host}"));
        Show(answer["queue"]!);
        Console.Out.WriteLine();
        Table([["pool", "connections", "may have", "suspended until", "trouble"], .. answer["sites"]!.AsArray().Select(one => new[] { Text(one, "pool"), Text(one, "connections"), Text(one, "window"), Time(one, "suspendedUntil"), Printable.Line(Text(one, "trouble")) })]);
        Console.Out.WriteLine();
        Table([["limit", "value", "from"], .. answer["limits"]!.AsArray().Select(one => new[] { Text(one, "name"), Text(one, "value"), Text(one, "from") })]);
    }

    /// <exception cref="CommandException">It is no duration of a second or more.</exception>
    private static long Seconds(string text)
    {
        if (!SettingText.TryParse(typeof(TimeSpan), text, out var value, out var expected)) throw new CommandException($"--for: `{Printable.Line(text)}` is not {expected}.", BadLine);
        return value is TimeSpan { TotalSeconds: >= 1 } time ? (long)time.TotalSeconds : throw new CommandException("--for: must be a second or more.", BadLine);
    }

    /// <param name="word">The command.</param>
    /// <param name="help">What it does.</param>
    /// <param name="symbols">What it takes.</param>
    /// <param name="run">Does it.</param>
    /// <param name="isShared">Where the API is, is said by an option of the command above it.</param>
    private Command Make(string word, string help, Symbol[] symbols, Func<ParseResult, ApiClient, CancellationToken, Task<int>> run, bool isShared = false)
    {
        var command = new Command(word, help);
        foreach (var symbol in symbols)
        {
            if (symbol is Argument argument) command.Arguments.Add(argument);
            else command.Options.Add((Option)symbol);
        }

        if (!isShared) foreach (var option in new Option[] { ApiClient.Address, ApiClient.Key }) command.Options.Add(option);
        command.SetAction((line, token) => CommandLine.GuardedAsync(async () =>
        {
            using var api = open(line);
            return await run(line, api, token);
        }));
        return command;
    }
}
