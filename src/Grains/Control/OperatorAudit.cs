using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Angarium.Contracts.Tenants;
using Angarium.Spool.Documents;

namespace Angarium.Grains.Control;

/// <summary>
/// What operators ordered and who did: one document with the latest orders, changed by compare-and-swap, and one for each hundred before them; the oldest go, so that there are never more than some ten
/// thousand. An order is entered before it is carried out. Any thread; no state.
/// </summary>
internal sealed class OperatorAudit(IDocumentStore documents, TimeProvider time)
{
    public const int MaxLatest = 200, MaxArchives = 100;

    /// <summary>The version of the document that this build reads and writes.</summary>
    private const int Format = 1;

    private const string Name = "operators/audit", Archive = "operators/audit/";
    private const int MaxAttempts = 20;

    /// <exception cref="IOException">It may not be entered: the order is not to be carried out.</exception>
    public async Task NoteAsync(string actor, string action, string target, string? detail, CancellationToken cancellationToken)
    {
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            var document = await documents.ReadAsync(Name, cancellationToken);
            var before = Read(document);
            var entry = new AuditEntry { Change = before.Count + 1, Time = time.GetUtcNow(), Actor = actor, Action = action, Target = target, Detail = detail };
            var after = new Stored(Format, entry.Change, [.. await ArchiveAsync(before.Latest, cancellationToken), entry]);
            if (await documents.WriteAsync(Name, JsonSerializer.SerializeToUtf8Bytes(after, OperatorAuditJson.Default.Stored), document?.Tag, cancellationToken) is not null) return;
        }

        throw new IOException($"The document {Name} was changed by others {MaxAttempts} times in a row.");
    }

    /// <summary>The newest first.</summary>
    public async Task<AuditEntry[]> ReadAsync(long? before, int limit, CancellationToken cancellationToken)
    {
        var found = Read(await documents.ReadAsync(Name, cancellationToken)).Latest.Where(Wanted).ToList();
        if (found.Count < limit)
        {
            foreach (var name in (await documents.ListAsync(Archive, cancellationToken)).Reverse())
            {
                if (await documents.ReadAsync(name, cancellationToken) is { } document && JsonSerializer.Deserialize(document.Content.Span, OperatorAuditJson.Default.AuditEntryArray) is { } old) found.AddRange(old.Where(Wanted));
                if (found.Count >= limit) break;
            }
        }

        return [.. found.DistinctBy(entry => entry.Change).OrderByDescending(entry => entry.Change).Take(limit)];

        bool Wanted(AuditEntry entry) => before is null || entry.Change < before;
    }

    /// <summary>The document holds the latest; the older go, a number at a time, into a document that is never changed.</summary>
    private async Task<AuditEntry[]> ArchiveAsync(AuditEntry[] latest, CancellationToken cancellationToken)
    {
        if (latest.Length < MaxLatest) return latest;
        var old = latest[..(MaxLatest / 2)];
        // It may be there already: of an attempt that did not come to its end, with the same entries.
        await documents.WriteAsync(string.Create(CultureInfo.InvariantCulture, $"{Archive}{old[0].Change:d12}"), JsonSerializer.SerializeToUtf8Bytes(old, OperatorAuditJson.Default.AuditEntryArray), null, cancellationToken);
        var there = await documents.ListAsync(Archive, cancellationToken);
        foreach (var oldest in there.Take(there.Count - MaxArchives)) await documents.DeleteAsync(oldest, cancellationToken);
        return latest[old.Length..];
    }

    private static Stored Read(Document? document) => document is null ? new Stored(Format, 0, [])
        : JsonSerializer.Deserialize(document.Content.Span, OperatorAuditJson.Default.Stored) is { Version: Format } stored ? stored
        : throw new InvalidDataException($"The document {Name} is of a version that this version of angarium does not know.");

    /// <summary>The document as stored: how many orders there were ever, and the latest of them in their order.</summary>
    internal sealed record Stored(int Version, long Count, AuditEntry[] Latest);
}

/// <summary>Generated reader and writer of the documents. Stateless.</summary>
[JsonSerializable(typeof(OperatorAudit.Stored))]
[JsonSerializable(typeof(AuditEntry[]))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
internal sealed partial class OperatorAuditJson : JsonSerializerContext;
