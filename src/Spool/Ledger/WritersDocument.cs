using System.Globalization;
using System.Text;
using Angarium.Mail;
using Angarium.Spool.Documents;

namespace Angarium.Spool.Ledger;

/// <summary>One line of the document: a writer of the ledger and the silo whose it is.</summary>
/// <param name="Silo">The life of a process, as membership names it; `-` = of one that is alone.</param>
/// <param name="Last">Its last stream, when it writes no more: that one is sealed, all before it are, and none will follow. Null = it is living, or nobody has sealed it yet.</param>
/// <param name="SealedAt">When that was entered.</param>
public sealed record LedgerWriterLine(ulong Writer, StoreTime Since, string Silo, uint? Last = null, StoreTime SealedAt = default);

/// <summary>
/// The document of the ledger's writers (design rule 10): a line for each, entered before its first append and changed by compare-and-swap. Whoever sees its silo dead seals its streams and
/// enters which was the last; the line stays for an hour, so that those who read seldom still learn of it. Holds no state; any thread.
/// </summary>
public static class WritersDocument
{
    public const string Name = "ledger/writers";

    /// <summary>How long the line of a writer that has ended stays. Who has not read the document for half of that lists all streams.</summary>
    public static readonly TimeSpan KeptFor = TimeSpan.FromHours(1);

    private const string Heading = "angarium ledger writers 2", FirstHeading = "angarium ledger writers 1";
    private const int MaxTries = 50;

    public static async Task<IReadOnlyDictionary<ulong, LedgerWriterLine>> ReadAsync(IDocumentStore documents, CancellationToken cancellationToken)
    {
        var document = await documents.ReadAsync(Name, cancellationToken).ConfigureAwait(Turns.Captured);
        return document is null ? new Dictionary<ulong, LedgerWriterLine>() : Parse(document.Content.Span);
    }

    /// <summary>False = it is entered as ended: whoever thought its silo dead has sealed its streams, and it must write no more.</summary>
    public static async Task<bool> RegisterAsync(IDocumentStore documents, ulong writer, string silo, StoreTime now, CancellationToken cancellationToken)
    {
        var ended = false;
        await ChangeAsync(documents, writers =>
        {
            ended = writers.TryGetValue(writer, out var line) && line.Last is not null;
            return writers.TryAdd(writer, new LedgerWriterLine(writer, now, silo));
        }, cancellationToken).ConfigureAwait(Turns.Captured);
        return !ended;
    }

    /// <summary>The writer's streams are sealed, and its last was that one.</summary>
    public static Task EndAsync(IDocumentStore documents, ulong writer, uint last, StoreTime now, CancellationToken cancellationToken) => ChangeAsync(documents, writers =>
    {
        if (!writers.TryGetValue(writer, out var line) || line.Last >= last) return false;
        writers[writer] = line with { Last = last, SealedAt = now };
        return true;
    }, cancellationToken);

    /// <summary>Takes out what ended more than <see cref="KeptFor"/> ago.</summary>
    public static Task TidyAsync(IDocumentStore documents, StoreTime now, CancellationToken cancellationToken) => ChangeAsync(documents, writers =>
    {
        var old = writers.Values.Where(w => w.Last is not null && now - w.SealedAt > KeptFor).Select(w => w.Writer).ToList();
        old.ForEach(w => writers.Remove(w));
        return old.Count > 0;
    }, cancellationToken);

    /// <summary>This process is alone, and all streams of others are sealed.</summary>
    public static Task LeaveOnlyAsync(IDocumentStore documents, ulong writer, CancellationToken cancellationToken) => ChangeAsync(documents, writers =>
    {
        var others = writers.Keys.Where(w => w != writer).ToList();
        others.ForEach(w => writers.Remove(w));
        return others.Count > 0;
    }, cancellationToken);

    /// <exception cref="IOException">It is damaged, or of a later version.</exception>
    public static Dictionary<ulong, LedgerWriterLine> Parse(ReadOnlySpan<byte> content)
    {
        var writers = new Dictionary<ulong, LedgerWriterLine>();
        var lines = Encoding.ASCII.GetString(content).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (lines.Length == 0 || lines[0] is not (Heading or FirstHeading))
            throw new IOException($"The document {Name} begins with `{(lines.Length == 0 ? "" : lines[0])}`; this version of angarium reads `{Heading}`");
        foreach (var text in lines.AsSpan(1))
        {
            if (Line(text.Split(' '), lines[0] == FirstHeading) is not { } line) throw new IOException($"The document {Name} has a bad line");
            writers[line.Writer] = line;
        }

        return writers;
    }

    internal static byte[] Format(IReadOnlyDictionary<ulong, LedgerWriterLine> writers)
    {
        var text = new StringBuilder(Heading).Append('\n');
        foreach (var (writer, line) in writers.OrderBy(w => w.Key))
        {
            text.Append(CultureInfo.InvariantCulture, $"{writer:x16} {line.Since.Milliseconds} {line.Silo} ");
            if (line.Last is { } last) text.Append(CultureInfo.InvariantCulture, $"sealed {last} {line.SealedAt.Milliseconds}\n");
            else text.Append("living\n");
        }

        return Encoding.ASCII.GetBytes(text.ToString());
    }

    private static async Task ChangeAsync(IDocumentStore documents, Func<Dictionary<ulong, LedgerWriterLine>, bool> change, CancellationToken cancellationToken)
    {
        for (var tries = 0; tries < MaxTries; tries++)
        {
            var document = await documents.ReadAsync(Name, cancellationToken).ConfigureAwait(Turns.Captured);
            var writers = document is null ? [] : Parse(document.Content.Span);
            if (!change(writers)) return;
            if (await documents.WriteAsync(Name, Format(writers), document?.Tag, cancellationToken).ConfigureAwait(Turns.Captured) is not null) return;
        }

        throw new IOException($"The document {Name} is changed by others all the time");
    }

    // Version 1 was written by processes that were alone, and had no more than id and time.
    private static LedgerWriterLine? Line(string[] parts, bool isFirst)
    {
        if (parts.Length < 2 || parts[0].Length != 16 || !ulong.TryParse(parts[0], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var writer) || !Number(parts[1], out var since)) return null;
        if (isFirst) return parts.Length == 2 ? new LedgerWriterLine(writer, new StoreTime(since), "-") : null;
        return parts switch
        {
            [_, _, var silo, "living"] => new LedgerWriterLine(writer, new StoreTime(since), silo),
            [_, _, var silo, "sealed", var last, var at] when Number(last, out var number) && number is > 0 and <= uint.MaxValue && Number(at, out var time) =>
                new LedgerWriterLine(writer, new StoreTime(since), silo, (uint)number, new StoreTime(time)),
            _ => null,
        };
    }

    private static bool Number(string text, out long number) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
