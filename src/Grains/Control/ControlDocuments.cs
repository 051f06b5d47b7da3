using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Angarium.Grains.Membership;
using Angarium.Mail;
using Angarium.Spool.Documents;

namespace Angarium.Grains.Control;

/// <summary>
/// What operators ordered for a domain, as one document each, `control/` and a hash of the domain (no name contains text from an envelope). Changes are made by
/// compare-and-swap, so two at once both count; a document that is not there means that nothing was ordered. In a cluster each change is also entered in `control/changes`, which every silo
/// looks at every ten seconds: so an order reaches whatever activations there are. Any thread; in memory is only what was heard of changes.
/// </summary>
internal sealed class ControlDocuments(IDocumentStore documents, IStanding standing) : IControlDocuments
{
    public const int MaxHeldMessages = 10_000;

    private const int MaxAttempts = 20;

    /// <summary>The version of both documents that this build reads and writes.</summary>
    private const int Format = 1;

    /// <summary>Changes that the list of them holds: who looks so seldom that it missed one takes everything for changed.</summary>
    private const int MaxChanges = 500;

    private const int MaxHeard = 10_000;
    private const string Changes = "control/changes";

    private readonly Lock _gate = new();
    private readonly Dictionary<string, long> _heard = [];
    private long _versions, _floor;
    private string? _changesTag;
    private long? _seen;

    public long Version(string domain)
    {
        lock (_gate) return _heard.GetValueOrDefault(domain, _floor);
    }

    /// <summary>Looks at what others have changed. One call at a time.</summary>
    public async Task HearAsync(CancellationToken cancellationToken)
    {
        var (hasChanged, document) = await documents.ReadIfChangedAsync(Changes, _changesTag, cancellationToken);
        if (!hasChanged && _seen is not null) return;
        var changes = Read(Changes, document, StoredJson.Default.ChangeList) ?? new ChangeList(Format, 0, []);
        lock (_gate)
        {
            var first = changes.Count - changes.Domains.Length;
            if (_seen is not { } seen || seen < first || seen > changes.Count) Forget();
            else foreach (var domain in changes.Domains.Skip((int)(seen - first))) Heard(domain);
            (_seen, _changesTag) = (changes.Count, document?.Tag);
        }
    }

    public async Task<DomainControl> LoadAsync(string domain, CancellationToken cancellationToken) =>
        Read(domain, await documents.ReadAsync(Name(domain), cancellationToken));

    public async Task<DomainControl> ChangeAsync(string domain, Func<DomainControl, DomainControl> change, CancellationToken cancellationToken)
    {
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            var document = await documents.ReadAsync(Name(domain), cancellationToken);
            var before = Read(domain, document);
            // A process that was frozen finds orders that were given up long ago and have been revoked elsewhere since. After the reading: what is revoked later makes the write fail.
            if (!await standing.ConfirmAsync(cancellationToken)) throw new IOException($"This silo's membership row is not confirmed: what was ordered for {domain} is to be ordered again.");
            var after = change(before);
            if (after.HeldMessages.Count > MaxHeldMessages) throw new InvalidOperationException($"More than {MaxHeldMessages} messages of one domain cannot be held; hold the domain.");
            // What is there already may be the order of somebody who could not tell of it.
            var isThere = after.Held == before.Held && after.HeldMessages.SetEquals(before.HeldMessages);
            // A document that says nothing stays: deleting is not conditional, and another's change could go with it.
            var stored = new Stored(domain, after.Held, [.. after.HeldMessages.Order().Select(k => k.ToString())]);
            if (!isThere && await documents.WriteAsync(Name(domain), JsonSerializer.SerializeToUtf8Bytes(stored, StoredJson.Default.Stored), document?.Tag, cancellationToken) is null) continue;
            lock (_gate) Heard(domain);
            if (!standing.IsSoleProcess) await TellAsync(domain, cancellationToken);
            return after;
        }

        throw new IOException($"The control document of {domain} was changed by others {MaxAttempts} times in a row.");
    }

    private async Task TellAsync(string domain, CancellationToken cancellationToken)
    {
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            var document = await documents.ReadAsync(Changes, cancellationToken);
            var before = Read(Changes, document, StoredJson.Default.ChangeList) ?? new ChangeList(Format, 0, []);
            var after = new ChangeList(Format, before.Count + 1, [.. before.Domains.TakeLast(MaxChanges - 1), domain]);
            if (await documents.WriteAsync(Changes, JsonSerializer.SerializeToUtf8Bytes(after, StoredJson.Default.ChangeList), document?.Tag, cancellationToken) is not null) return;
        }

        throw new IOException($"{Changes} was changed by others {MaxAttempts} times in a row.");
    }

    private void Heard(string domain)
    {
        if (_heard.Count >= MaxHeard) Forget();
        _heard[domain] = ++_versions;
    }

    private void Forget()
    {
        _heard.Clear();
        _floor = ++_versions;
    }

    /// <summary>The version first: what it says of the rest is clearer than the first member that this build does not know.</summary>
    private static T? Read<T>(string what, Document? document, JsonTypeInfo<T> type) where T : class
    {
        if (document is null) return null;
        try
        {
            using var json = JsonDocument.Parse(document.Content);
            if (json.RootElement is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("version", out var version) && version.GetRawText() != $"{Format}")
                throw new InvalidDataException($"{what} is of version {version.GetRawText()}; this version of angarium reads {Format}.");
            return json.Deserialize(type);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{what} cannot be read: {e.Message}", e);
        }
    }

    private static DomainControl Read(string domain, Document? document)
    {
        if (document is null) return DomainControl.None;
        var stored = Read($"The control document of {domain}", document, StoredJson.Default.Stored) ?? throw new InvalidDataException($"The control document of {domain} is empty.");
        var held = new HashSet<RecipientKey>();
        foreach (var text in stored.Messages) held.Add(RecipientKey.TryParse(text, out var key) ? key : throw new InvalidDataException($"`{text}` is not a message id."));
        return new DomainControl { Held = stored.Held, HeldMessages = held };
    }

    private static string Name(string domain) => "control/" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(domain)).AsSpan(0, 16));

    /// <summary>The document as stored. The domain is in it for people who look; version 1 is not written.</summary>
    internal sealed record Stored(string Domain, bool Held, string[] Messages)
    {
        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        public int? Version { get; init; }
    }

    /// <summary>`control/changes` as stored: how many changes there were ever, and the domains of the last of them.</summary>
    internal sealed record ChangeList(int Version, long Count, string[] Domains);
}

/// <summary>Generated reader and writer of the documents. An unknown member is refused: rewriting the document would lose it. Stateless.</summary>
[JsonSerializable(typeof(ControlDocuments.Stored))]
[JsonSerializable(typeof(ControlDocuments.ChangeList))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
internal sealed partial class StoredJson : JsonSerializerContext;
