using System.Globalization;
using System.Text;
using Angarium.Mail;
using Angarium.Spool.Documents;

namespace Angarium.Spool.Ledger;

/// <summary>
/// The document of the ledger's living writers (design rule 10): a line for each, its id and when it registered, changed by compare-and-swap. Who follows the ledger reads it; who sees
/// a writer dead seals its streams and removes it. Holds no state; any thread.
/// </summary>
public static class WritersDocument
{
    public const string Name = "ledger/writers";

    private const string Heading = "angarium ledger writers 1";
    private const int MaxTries = 50;

    public static async Task<IReadOnlyDictionary<ulong, StoreTime>> ReadAsync(IDocumentStore documents, CancellationToken cancellationToken)
    {
        var document = await documents.ReadAsync(Name, cancellationToken).ConfigureAwait(Turns.Captured);
        return document is null ? new Dictionary<ulong, StoreTime>() : Parse(document.Content.Span);
    }

    public static Task RegisterAsync(IDocumentStore documents, ulong writer, StoreTime now, CancellationToken cancellationToken) =>
        ChangeAsync(documents, writers => writers.TryAdd(writer, now), cancellationToken);

    /// <summary>After their streams were sealed.</summary>
    public static Task RemoveAsync(IDocumentStore documents, IReadOnlyCollection<ulong> dead, CancellationToken cancellationToken) =>
        ChangeAsync(documents, writers => dead.Where(writers.Remove).ToList().Count > 0, cancellationToken);

    private static async Task ChangeAsync(IDocumentStore documents, Func<Dictionary<ulong, StoreTime>, bool> change, CancellationToken cancellationToken)
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

    private static byte[] Format(Dictionary<ulong, StoreTime> writers)
    {
        var text = new StringBuilder(Heading).Append('\n');
        foreach (var (writer, since) in writers.OrderBy(w => w.Key)) text.Append(CultureInfo.InvariantCulture, $"{writer:x16} {since.Milliseconds}\n");
        return Encoding.ASCII.GetBytes(text.ToString());
    }

    private static Dictionary<ulong, StoreTime> Parse(ReadOnlySpan<byte> content)
    {
        var writers = new Dictionary<ulong, StoreTime>();
        var lines = Encoding.ASCII.GetString(content).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (lines.Length == 0 || lines[0] != Heading) throw new IOException($"The document {Name} is not what was written");
        foreach (var line in lines.AsSpan(1))
        {
            if (line.Length < 18 || !ulong.TryParse(line.AsSpan(0, 16), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var writer)
                || !long.TryParse(line.AsSpan(17), NumberStyles.None, CultureInfo.InvariantCulture, out var since)) throw new IOException($"The document {Name} has a bad line");
            writers[writer] = new StoreTime(since);
        }

        return writers;
    }
}
