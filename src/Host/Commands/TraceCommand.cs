using System.Text;
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
