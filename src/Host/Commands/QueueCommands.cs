using System.Globalization;
using System.Text.Json;
using Angarium.Contracts.Admin;
using Angarium.Host.Control;
using Angarium.Host.Logging;

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

        Table([["queued", "domain"], .. rows.Select(row => new[] { Number(row.Queued), row.Domain })]);
        return 0;
    }

    public static async Task<int> ShowAsync(ControlClient relay, string target, int limit, bool json, CancellationToken cancellationToken)
    {
        var snapshots = await relay.GetAsync<QueueSnapshot[]>($"queue/{Uri.EscapeDataString(target)}?limit={limit}", cancellationToken);
        if (json) return Print(snapshots);
        if (snapshots is [{ Queued: 0, Held: false } empty]) throw new CommandException($"nothing is queued for {empty.Domain}.");
        foreach (var snapshot in snapshots) Show(snapshot);
        return 0;
    }

    public static async Task<int> ChangeAsync(ControlClient relay, string target, string verb, string? reason, bool json, CancellationToken cancellationToken)
    {
        var query = reason is null ? "" : $"?reason={Uri.EscapeDataString(reason)}";
        var change = await relay.PostAsync<QueueChange>($"queue/{Uri.EscapeDataString(target)}/{verb}{query}", cancellationToken);
        if (json) return Print(change);
        // A hold may be laid before there is mail; all else needs some.
        if (change is { Recipients: 0, After: { Queued: 0 } empty } && verb is "retry" or "drop") throw new CommandException($"nothing is queued for {empty.Domain}.");
        Console.Out.WriteLine(verb switch
        {
            "retry" => change.Recipients == 0 ? "What is queued is due already and is tried at once." : $"{change.Recipients} recipients are due now.",
            "drop" => $"{change.Recipients} recipients dropped.",
            "hold" => $"{target} is held.",
            _ => $"{target} is released.",
        });
        if (verb == "drop" && change.Recipients == 0) throw new CommandException($"what is queued for {change.After?.Domain} is under way just now; try again in a moment.");
        if (verb == "retry" && change.After is { Held: true } held) Console.Out.WriteLine($"{held.Domain} is held: `angarium queue release {held.Domain}` lets it go.");
        if (verb is "retry" or "release" && change.After is { } after) ShowSuspension(after);
        return 0;
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
            var mark = message.Any(r => r.Recipient.State == "leased") ? '*' : message.All(r => r.Recipient.State == "held") ? '!' : ' ';
            var arrival = first.Born.ToDateTimeOffset().ToLocalTime().ToString("ddd MMM dd HH:mm:ss", CultureInfo.InvariantCulture);
            Console.Out.WriteLine($"{first.Message}{mark} {first.Size,8} {arrival}  {(first.Sender is "" ? "MAILER-DAEMON" : Sender(first))}");
            foreach (var trouble in message.Select(r => r.Domain).Where(d => d.SuspendedUntil.Milliseconds > 0).Select(d => d.SiteTrouble).Distinct())
                Console.Out.WriteLine(Printable.Line($"({trouble})"));
            foreach (var (_, recipient) in message) Console.Out.WriteLine(new string(' ', 55) + Recipient(recipient));
            Console.Out.WriteLine();
        }

        if (listing.NotListed > 0) Console.Out.WriteLine($"{Number(listing.NotListed)} recipients more; see `angarium queue list`");
        var kilobytes = messages.Sum(m => m.First().Recipient.Size) / 1024;
        var requests = messages.Length + listing.NotListed;
        Console.Out.WriteLine($"-- {Number(kilobytes)} Kbytes in {Number(requests)} Request{(requests == 1 ? "" : "s")}.");
        return 0;
    }

    private static string Sender(QueuedRecipient one) => one.Sender is null ? "?" : Printable.Line(one.Sender.Length == 0 ? "<>" : one.Sender);

    private static string Recipient(QueuedRecipient one) => one.Address is null ? one.Key.ToString() : Printable.Line(one.Address);

    private static void Show(QueueSnapshot snapshot)
    {
        var site = snapshot.Site is null ? "" : $", site {snapshot.Site}";
        Console.Out.WriteLine($"{snapshot.Domain}: {Number(snapshot.Queued)} queued, {Number(snapshot.Leased)} under way{(snapshot.Held ? ", held" : "")}{site}");
        if (snapshot.IndexAway) Console.Out.WriteLine("  the queue index cannot be reached just now: what waits there is neither counted nor listed");
        ShowSuspension(snapshot);
        if (snapshot.Recipients.Length == 0) return;
        Table(
        [
            ["message", "state", "attempts", "due", "accepted", "tenant", "sender", "recipient"],
            .. snapshot.Recipients.Select(one => new[]
            {
                one.Message.ToString(), one.State, Number(one.Attempts), one.Due.ToString(), one.Born.ToString(), one.Tenant, Sender(one), Recipient(one),
            }),
        ]);
    }

    private static void ShowSuspension(QueueSnapshot snapshot)
    {
        if (snapshot.SuspendedUntil.Milliseconds > 0) Console.Out.WriteLine(Printable.Line($"  site suspended until {snapshot.SuspendedUntil}: {snapshot.SiteTrouble}"));
    }

    /// <summary>Columns as wide as their longest text, two blanks between them: never cut, never wrapped, so that scripts can read them too.</summary>
    internal static void Table(IReadOnlyList<string[]> rows)
    {
        var widths = Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(row => row[column].Length)).ToArray();
        foreach (var row in rows) Console.Out.WriteLine(string.Join("  ", row.Select((text, column) => text.PadRight(widths[column]))).TrimEnd());
    }

    internal static int Print<T>(T value)
    {
        Console.Out.WriteLine(JsonSerializer.Serialize(value, ControlJson.Options));
        return 0;
    }

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}
