using System.Text;
using Angarium.Host.Control;
using Angarium.Host.Logging;
using Angarium.Mail;
using Angarium.Spool.Ledger;

namespace Angarium.Host.Commands;

/// <summary>`angarium trace ID`: every ledger record of a message, oldest first, grouped by recipient. One thread.</summary>
internal static class TraceCommand
{
    public static async Task<int> RunAsync(ControlClient relay, string id, bool json, CancellationToken cancellationToken)
    {
        if (!MessageId.TryParse(id, out var message)) throw new CommandException($"`{id}` is not a message id: 23 characters of a to z and 2 to 7, as the relay's reply named it.");
        var (records, queued) = await relay.GetAsync<MessageTrace>($"trace/{message}", cancellationToken);
        if (records.Length == 0 && queued.Length == 0) throw new CommandException($"{message} is neither queued nor in the ledger; records are kept for Ledger:Retention.");
        if (json) return QueueCommands.Print(records);
        if (records.Length == 0)
        {
            await Console.Out.WriteLineAsync($"{message}: accepted, not tried yet; queued for {string.Join(", ", queued)}.");
            return 0;
        }

        if (records.Select(record => record.Summary).FirstOrDefault(summary => summary is not null) is { } envelope)
            await Console.Out.WriteLineAsync(Printable.Line($"{message}: from <{envelope.ReversePath}>, tenant {envelope.Tenant}, {envelope.Size} octets, accepted {envelope.Accepted}"));
        foreach (var recipient in records.GroupBy(record => record.Key).OrderBy(group => group.Key))
        {
            var address = recipient.Select(record => record.Summary?.Recipient).FirstOrDefault(text => text is not null);
            await Console.Out.WriteLineAsync(Printable.Line($"  {(address is null ? recipient.Key.ToString() : $"<{address}>")}"));
            foreach (var record in recipient.OrderBy(record => record.Time)) await Console.Out.WriteLineAsync($"    {Line(record)}");
        }

        return 0;
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
