using System.Globalization;
using System.Text.Json;
using Angarium.Contracts.Admin;
using Angarium.Host.Control;
using Angarium.Host.Logging;
using Spectre.Console;

namespace Angarium.Host.Commands;

/// <summary>`angarium queue …`: asks the running process and prints its answer. One thread.</summary>
internal static class QueueCommands
{
    public static async Task<int> ListAsync(ControlClient relay, int limit, bool json, CancellationToken cancellationToken)
    {
        var rows = await relay.GetAsync<QueueRow[]>($"queue?limit={limit}", cancellationToken);
        if (json) return Print(rows);
        if (rows.Length == 0)
        {
            await Console.Out.WriteLineAsync("The queue is empty.");
            return 0;
        }

        var table = CommandLine.Table("queued", "domain");
        foreach (var row in rows) table.AddRow(Number(row.Queued), Markup.Escape(row.Domain));
        AnsiConsole.Write(table);
        return 0;
    }

    public static async Task<int> ShowAsync(ControlClient relay, string target, int limit, bool json, CancellationToken cancellationToken)
    {
        var snapshots = await relay.GetAsync<QueueSnapshot[]>($"queue/{Uri.EscapeDataString(target)}?limit={limit}", cancellationToken);
        if (json) return Print(snapshots);
        if (snapshots.Length == 0) throw new CommandException($"no queue holds {target}; `angarium trace` tells what became of a message.");
        foreach (var snapshot in snapshots) Show(snapshot);
        return 0;
    }

    public static async Task<int> ChangeAsync(ControlClient relay, string target, string verb, string? reason, bool json, CancellationToken cancellationToken)
    {
        var query = reason is null ? "" : $"?reason={Uri.EscapeDataString(reason)}";
        var change = await relay.PostAsync<QueueChange>($"queue/{Uri.EscapeDataString(target)}/{verb}{query}", cancellationToken);
        if (json) return Print(change);
        if (change.Domains == 0 && target != "all") throw new CommandException($"no queue holds {target}.");
        await Console.Out.WriteLineAsync(verb switch
        {
            "retry" => $"{change.Recipients} recipients are due now.",
            "drop" => $"{change.Recipients} recipients dropped.",
            "hold" => $"{target} is held.",
            _ => $"{target} is released.",
        });
        return 0;
    }

    private static void Show(QueueSnapshot snapshot)
    {
        var site = snapshot.Site is null ? "" : $", site {snapshot.Site}";
        AnsiConsole.WriteLine($"{snapshot.Domain}: {Number(snapshot.Queued)} queued, {Number(snapshot.Leased)} under way{(snapshot.Held ? ", held" : "")}{site}");
        if (snapshot.SuspendedUntil.Milliseconds > 0) AnsiConsole.WriteLine(Printable.Line($"  site suspended until {snapshot.SuspendedUntil}: {snapshot.SiteTrouble}"));
        if (snapshot.Recipients.Length == 0) return;
        var table = CommandLine.Table("recipient key", "message", "state", "attempts", "due", "accepted", "tenant");
        foreach (var one in snapshot.Recipients)
        {
            table.AddRow(
                one.Key.ToString(), one.Message.ToString(), Markup.Escape(one.State), Number(one.Attempts),
                one.Due.ToString(), one.Born.ToString(), Markup.Escape(one.Tenant));
        }

        AnsiConsole.Write(table);
    }

    internal static int Print<T>(T value)
    {
        Console.Out.WriteLine(JsonSerializer.Serialize(value, ControlJson.Options));
        return 0;
    }

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}
