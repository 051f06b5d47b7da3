using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Angarium.Host.Control;
using Angarium.Host.Logging;
using Angarium.Mail;
using Angarium.Mail.Addresses;

namespace Angarium.Host.Commands;

/// <summary>`angarium queue …`: asks the API, of the process here or of a cluster, and prints its answer. One thread.</summary>
internal static class QueueCommands
{
    /// <summary>One line; what people wrote stays as they wrote it.</summary>
    internal static readonly JsonSerializerOptions Readable = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static async Task<int> ListAsync(ApiClient api, int limit, bool json, CancellationToken cancellationToken)
    {
        var rows = (await api.SendAsync(HttpMethod.Get, $"/v1/queue/domains?limit={limit}", null, cancellationToken))!["items"]!.AsArray();
        if (json) return Print(rows);
        if (rows.Count == 0)
        {
            await Console.Out.WriteLineAsync("The queue is empty.");
            return 0;
        }

        Table([["queued", "domain"], .. rows.Select(row => new[] { Text(row, "queued"), Text(row, "domain") })]);
        return 0;
    }

    /// <summary>The table that Postfix' qshape prints: how many are queued, and how long ago they were accepted, in minutes.</summary>
    public static async Task<int> ShapeAsync(ApiClient api, string by, string? domain, string? tenant, string? site, int limit, bool json, CancellationToken cancellationToken)
    {
        var query = $"by={Uri.EscapeDataString(by)}&limit={limit}{Query("domain", domain)}{Query("tenant", tenant)}{Query("site", site)}";
        var table = (await api.SendAsync(HttpMethod.Get, "/v1/queue?" + query, null, cancellationToken))!;
        if (json) return Print(table);
        var minutes = table["minutes"]!.AsArray().Select(minute => minute!.ToString()).ToList();
        // The total comes first, as there.
        RightTable(
        [
            [by, "T", .. minutes, minutes[^1] + "+"],
            .. table["rows"]!.AsArray().Prepend(table["total"]).Select(row => (string[])[Printable.Line(Text(row, "name")), Text(row, "queued"), .. row!["ages"]!.AsArray().Select(age => age!.ToString())]),
        ]);
        if (Number(table, "moreRows") is > 0 and var more) Console.Out.WriteLine($"{more} more; --limit shows them");
        if (Flag(table, "sampled")) Console.Out.WriteLine("ages of long queues are estimated from a sample; the numbers under T are exact");
        if (Flag(table, "indexAway")) Console.Out.WriteLine("the queue index cannot be reached just now: what waits there is not counted");
        if (Number(table, "silentSilos") is > 0 and var silent) Console.Out.WriteLine($"{silent} silos did not answer: mail of the last seconds that only they have is not counted");
        return 0;
    }

    public static async Task<int> ShowAsync(ApiClient api, string target, int limit, bool json, CancellationToken cancellationToken)
    {
        JsonArray queues = MessageId.TryParse(target, out _)
            ? (await api.SendAsync(HttpMethod.Get, $"/v1/queue/find?message={target}&limit={limit}", null, cancellationToken))!["items"]!.DeepClone().AsArray()
            : [await api.SendAsync(HttpMethod.Get, $"/v1/queue/domains/{Uri.EscapeDataString(DomainOf(target))}?limit={limit}", null, cancellationToken)];
        if (json) return Print(queues);
        if (queues is [{ } one] && Number(one, "queued") == 0 && !Flag(one, "held")) throw new CommandException($"nothing is queued for {one["domain"]}.");
        foreach (var queue in queues) Show(queue!);
        return 0;
    }

    /// <param name="api">Whom to ask.</param>
    /// <param name="order">What it is for: the members of the request.</param>
    /// <param name="verb">Which order.</param>
    /// <param name="json">As it was answered.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task<int> ChangeAsync(ApiClient api, JsonObject order, string verb, bool json, CancellationToken cancellationToken)
    {
        var answer = (await api.SendAsync(HttpMethod.Post, "/v1/queue/" + verb, order, cancellationToken))!;
        if (json) return Print(answer);
        var (recipients, after, failed) = (Number(answer, "recipients"), answer["after"], Number(answer, "failed"));
        // A hold may be laid before there is mail; all else needs some.
        if (recipients == 0 && after is not null && Number(after, "queued") == 0 && verb is "retry" or "drop") throw new CommandException($"nothing is queued for {after!["domain"]}.");
        var target = order["domain"] ?? order["message"];
        Console.Out.WriteLine(verb switch
        {
            "retry" => recipients == 0 ? "What is queued is due already and is tried at once." : $"{recipients} recipients are due now.",
            "drop" => $"{recipients} recipients dropped{(order["notify"] is null ? "." : "; their senders are told.")}",
            "hold" => $"{target} is held.",
            _ => $"{target} is released.",
        });
        if (failed > 0) throw new CommandException($"{failed} domains could not be reached, or not to the end: {Printable.Line(Text(answer, "trouble"))}; give the order again.");
        if (verb == "drop" && recipients == 0 && after is not null) throw new CommandException($"what is queued for {after["domain"]} is under way just now; try again in a moment.");
        if (verb == "retry" && after is not null && Flag(after, "held")) Console.Out.WriteLine($"{after["domain"]} is held: `angarium queue release {after["domain"]}` lets it go.");
        if (verb is "retry" or "release" && after is not null) ShowSuspensions(after);
        return 0;
    }

    /// <summary>What `queue retry` and its like name: a message id, or a domain.</summary>
    public static void Name(JsonObject order, string target)
    {
        if (MessageId.TryParse(target, out _)) order["message"] = target;
        else order["domain"] = DomainOf(target);
    }

    /// <summary>The queue as Postfix' mailq lays it out, which people's scripts read; its last line counts.</summary>
    public static async Task<int> MailqAsync(ControlClient relay, CancellationToken cancellationToken)
    {
        var listing = await relay.GetAsync<QueueListing>("mailq", cancellationToken);
        var messages = listing.Domains.SelectMany(d => d.Recipients.Select(r => (Domain: d, Recipient: r))).GroupBy(r => r.Recipient.Message).OrderBy(m => m.Min(r => r.Recipient.Born)).ToArray();
        if (messages.Length == 0 && listing.NotListed == 0)
        {
            Console.Out.WriteLine("Mail queue is empty");
            return 0;
        }

        Console.Out.WriteLine("-Queue ID-               --Size-- ----Arrival Time---- -Sender/Recipient-------");
        foreach (var message in messages)
        {
            var first = message.First().Recipient;
            var mark = message.Any(r => r.Recipient.State == "leased") ? '*' : message.All(r => r.Recipient.State is "held" or "suspended") ? '!' : ' ';
            var arrival = first.Born.ToDateTimeOffset().ToLocalTime().ToString("ddd MMM dd HH:mm:ss", CultureInfo.InvariantCulture);
            Console.Out.WriteLine($"{first.Message}{mark} {first.Size,8} {arrival}  {(first.Sender is "" ? "MAILER-DAEMON" : Sender(first.Sender))}");
            foreach (var trouble in message.Select(r => r.Domain).Where(d => d.SuspendedUntil.Milliseconds > 0).Select(d => d.SiteTrouble).Distinct())
                Console.Out.WriteLine(Printable.Line($"({trouble})"));
            foreach (var (_, recipient) in message) Console.Out.WriteLine(new string(' ', 55) + (recipient.Address is { } address ? Printable.Line(address) : recipient.Key.ToString()));
            Console.Out.WriteLine();
        }

        if (listing.NotListed > 0) Console.Out.WriteLine($"{Text(listing.NotListed)} recipients more; see `angarium queue list`");
        var kilobytes = messages.Sum(m => m.First().Recipient.Size) / 1024;
        var requests = messages.Length + listing.NotListed;
        Console.Out.WriteLine($"-- {Text(kilobytes)} Kbytes in {Text(requests)} Request{(requests == 1 ? "" : "s")}.");
        return 0;
    }

    /// <exception cref="CommandException">It is none.</exception>
    private static string DomainOf(string target) => QueueDomain.TryParse(target, out var domain) ? domain.Value : throw new CommandException($"`{Printable.Line(target)}` is neither a domain nor a message id.");

    private static string Sender(string? sender) => sender is null ? "?" : Printable.Line(sender.Length == 0 ? "<>" : sender);

    internal static void Show(JsonNode queue)
    {
        var site = queue["site"] is { } name ? $", site {name}" : "";
        Console.Out.WriteLine($"{queue["domain"]}: {queue["queued"]} queued, {queue["underWay"]} under way{(Flag(queue, "held") ? ", held" : "")}{site}");
        if (Flag(queue, "indexAway")) Console.Out.WriteLine("  the queue index cannot be reached just now: what waits there is neither counted nor listed");
        ShowSuspensions(queue);
        var recipients = queue["recipients"]!.AsArray();
        if (recipients.Count == 0) return;
        Table(
        [
            ["message", "state", "attempts", "due", "accepted", "tenant", "sender", "recipient"],
            .. recipients.Select(one => new[]
            {
                Text(one, "message"), Text(one, "state"), Text(one, "attempts"), Time(one, "due"), Time(one, "accepted"), Text(one, "tenant"), Sender(one!["sender"]?.ToString()),
                Printable.Line(Text(one, "recipient") is { Length: > 0 } address ? address : Text(one, "id")),
            }),
        ]);
    }

    private static void ShowSuspensions(JsonNode queue)
    {
        if (queue["suspendedUntil"] is not null) Console.Out.WriteLine(Printable.Line($"  site suspended until {Time(queue, "suspendedUntil")}: {queue["trouble"]}"));
        foreach (var one in queue["suspensions"]!.AsArray())
            Console.Out.WriteLine(Printable.Line($"  {one!["kind"]} {one["name"]} suspended by {one["actor"]} {(one["until"] is null ? "until it is resumed" : "until " + Time(one, "until"))}{(one["reason"] is { } reason ? $": {reason}" : "")}"));
    }

    /// <summary>Columns as wide as their longest text, two blanks between them: never cut, never wrapped, so that scripts can read them too.</summary>
    internal static void Table(IReadOnlyList<string[]> rows)
    {
        var widths = Widths(rows);
        foreach (var row in rows) Console.Out.WriteLine(string.Join("  ", row.Select((text, column) => text.PadRight(widths[column]))).TrimEnd());
    }

    /// <summary>The same with numbers, which stand to the right, behind a name.</summary>
    internal static void RightTable(IReadOnlyList<string[]> rows)
    {
        var widths = Widths(rows);
        foreach (var row in rows) Console.Out.WriteLine(string.Join("  ", row.Select((text, column) => column == 0 ? text.PadRight(widths[column]) : text.PadLeft(widths[column]))));
    }

    internal static int Print<T>(T value)
    {
        Console.Out.WriteLine(value is JsonNode node ? node.ToJsonString(Readable) : JsonSerializer.Serialize(value, ControlJson.Options));
        return 0;
    }

    internal static string Text(JsonNode? node, string member) => node![member]?.ToString() ?? "";

    internal static string Time(JsonNode? node, string member) => node![member] is { } time ? StoreTime.FromDateTimeOffset(time.GetValue<DateTimeOffset>()).ToString() : "";

    internal static string Query(string name, string? value) => value is null ? "" : $"&{name}={Uri.EscapeDataString(value)}";

    private static int[] Widths(IReadOnlyList<string[]> rows) => [.. Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(row => row[column].Length))];

    private static long Number(JsonNode node, string member) => node[member]?.GetValue<long>() ?? 0;

    private static bool Flag(JsonNode node, string member) => node[member]?.GetValue<bool>() == true;

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);
}
