using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Angarium.Host.Control;
using Angarium.Host.Logging;
using Angarium.Mail;
using Angarium.Spool.Ledger;

namespace Angarium.Host.Commands;

/// <summary>`angarium trace ID…`: every ledger record of messages, oldest first, grouped by recipient. One thread.</summary>
internal static class TraceCommand
{
    public static async Task<int> RunAsync(ControlClient relay, string[] ids, bool json, CancellationToken cancellationToken)
    {
        if (ids.Length > ControlEndpoints.MaxMessages) throw new CommandException($"{ids.Length} ids are too many; name at most {ControlEndpoints.MaxMessages} at a time.", exitCode: 2);
        foreach (var id in ids)
            if (!MessageId.TryParse(id, out _)) throw new CommandException($"`{id}` is not a message id: 23 characters of a to z and 2 to 7, as the relay's reply named it.");
        var found = await relay.GetAsync<MessageTrace[]>($"trace/{string.Join(',', ids)}", cancellationToken);
        if (json) QueueCommands.Print(found.SelectMany(one => one.Records));
        else foreach (var one in found) await PrintAsync(one);
        if (found.FirstOrDefault(one => one.Records.Length == 0 && one.Queued.Length == 0) is { } nowhere)
            throw new CommandException($"{nowhere.Id} is neither queued nor in the ledger; records are kept for Ledger:Retention.");
        return 0;
    }

    /// <summary>The same over the API, from events.</summary>
    public static async Task<int> RunAsync(ApiClient api, string[] ids, bool json, CancellationToken cancellationToken)
    {
        var all = new JsonArray();
        foreach (var id in ids)
        {
            if (!MessageId.TryParse(id, out _)) throw new CommandException($"`{Printable.Line(id)}` is not a message id: 23 characters of a to z and 2 to 7, as the relay's reply named it.");
            JsonNode[] events;
            try
            {
                events = [.. (await api.SendAsync(HttpMethod.Get, "/v1/messages/" + id, null, cancellationToken))!["events"]!.AsArray().Select(one => one!.DeepClone())];
            }
            catch (CommandException e) when (!e.IsUnreachable)
            {
                // Not in the ledger: it may be queued, and not tried yet.
                var queues = (await api.SendAsync(HttpMethod.Get, $"/v1/queue/find?message={id}&limit=0", null, cancellationToken))!["items"]!.AsArray();
                if (!json) await Console.Out.WriteLineAsync($"{id}: accepted, not tried yet; queued for {string.Join(", ", queues.Select(queue => queue!["domain"]))}.");
                continue;
            }

            foreach (var one in events) all.Add(one);
            if (json) continue;
            var first = events[0];
            await Console.Out.WriteLineAsync(Printable.Line($"{id}: from <{first["sender"]}>, tenant {first["tenant"]}, {first["size"]} octets"));
            foreach (var recipient in events.GroupBy(one => one["recipientId"]!.ToString()))
            {
                var address = recipient.Select(one => one["recipient"]).FirstOrDefault(text => text is not null);
                await Console.Out.WriteLineAsync(Printable.Line($"  {(address is null ? recipient.Key : $"<{address}>")}"));
                foreach (var one in recipient) await Console.Out.WriteLineAsync($"    {Line(one)}");
            }
        }

        return json ? QueueCommands.Print(all) : 0;
    }

    private static string Line(JsonNode one)
    {
        var line = new StringBuilder($"{QueueCommands.Time(one, "time")} {one["type"]}");
        foreach (var (word, member) in new[] { ("attempt", "attempt"), ("remote", "remote"), ("tls", "tls") })
            if (one[member] is { } value) line.Append(CultureInfo.InvariantCulture, $" {word}={value}");
        if (one["nextAttempt"] is not null) line.Append(CultureInfo.InvariantCulture, $" next={QueueCommands.Time(one, "nextAttempt")}");
        if (one["reply"] is { } reply) line.Append(CultureInfo.InvariantCulture, $" {(one["own"]?.GetValue<bool>() == true ? "own" : "reply")}=\"{reply.ToString().ReplaceLineEndings(" / ")}\"");
        return Printable.Line(line.ToString());
    }

    private static async Task PrintAsync(MessageTrace message)
    {
        var (id, records, queued) = message;
        if (records.Length == 0)
        {
            if (queued.Length > 0) await Console.Out.WriteLineAsync($"{id}: accepted, not tried yet; queued for {string.Join(", ", queued)}.");
            return;
        }

        if (records.Select(record => record.Summary).FirstOrDefault(summary => summary is { Recipient.Length: > 0 }) is { } envelope)
            await Console.Out.WriteLineAsync(Printable.Line($"{id}: from <{envelope.ReversePath}>, tenant {envelope.Tenant}, {envelope.Size} octets, accepted {envelope.Accepted}"));
        foreach (var recipient in records.GroupBy(record => record.Key).OrderBy(group => group.Key))
        {
            var address = recipient.Select(record => record.Summary?.Recipient).FirstOrDefault(text => text is { Length: > 0 });
            await Console.Out.WriteLineAsync(Printable.Line($"  {(address is null ? recipient.Key.ToString() : $"<{address}>")}"));
            foreach (var record in recipient.OrderBy(record => record.Time)) await Console.Out.WriteLineAsync($"    {Line(record)}");
        }
    }

    internal static string Line(LedgerRecord record)
    {
        var line = new StringBuilder($"{record.Time} {record.Kind.ToString().ToLowerInvariant()}");
        if (record.Attempt > 0) line.Append($" attempt={record.Attempt}");
        if (record.Remote is not null) line.Append($" remote={record.Remote}");
        if (record.Tls is not null) line.Append($" tls={record.Tls}");
        if (record.Due.Milliseconds > 0) line.Append($" next={record.Due}");
        if (record.PossibleDuplicate) line.Append(" possible-duplicate");
        if (record.Reply is not null) line.Append($" {(record.Own ? "own" : "reply")}=\"{record.Reply.ToString().ReplaceLineEndings(" / ")}\"");
        return Printable.Line(line.ToString());
    }
}
