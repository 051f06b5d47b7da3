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
/// looks at every ten seconds: so an order reaches whatever activations there are. Few domains have a document: a silo knows of which, and an activation that is new asks only whether
/// something was changed since, together with all that ask at the time. Any thread; in memory is only what was heard and listed.
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

    /// <summary>Names that are kept; where there are more, every domain's document is asked for.</summary>
    private const int MaxNames = 100_000;

    private const string Prefix = "control/";
    private const string Changes = Prefix + "changes";

    private readonly Lock _gate = new();
    private readonly Dictionary<string, long> _heard = [];

    /// <summary>Of the documents that there are, or were; null = not listed yet, or too many.</summary>
    private HashSet<string>? _names;
    private long _versions, _floor;

    /// <summary>The last look that was asked for, and whether it has begun: what is asked until then goes with it.</summary>
    private Task _look = Task.CompletedTask;
    private bool _hasBegun = true;
    private string? _changesTag;
    private long? _seen;

    public long Version(string domain)
    {
        lock (_gate) return _heard.GetValueOrDefault(domain, _floor);
    }

    /// <summary>Looks at what others have changed up to this call. One look serves all who asked before it began.</summary>
    public Task HearAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_hasBegun) (_hasBegun, _look) = (false, LookAfterAsync(_look));
            return _look.WaitAsync(cancellationToken);
        }
    }

    public async Task<DomainControl> LoadAsync(string domain, CancellationToken cancellationToken)
    {
        if (!standing.IsSoleProcess && !await MayHaveAsync(domain, cancellationToken)) return DomainControl.None;
        return Read(domain, await documents.ReadAsync(Name(domain), cancellationToken));
    }

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

    private async Task<bool> MayHaveAsync(string domain, CancellationToken cancellationToken)
    {
        try
        {
            // An order is acknowledged once it stands in the list of changes: what is acknowledged before this call is heard of here.
            await HearAsync(cancellationToken);
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // What cannot be seen in the list is seen in the document itself; the watch, which looks every ten seconds, says why not.
            return true;
        }

        lock (_gate) return _names?.Contains(Name(domain)) != false;
    }

    private async Task LookAfterAsync(Task before)
    {
        await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext | ConfigureAwaitOptions.ForceYielding);
        lock (_gate) _hasBegun = true;
        var (hasChanged, document) = await documents.ReadIfChangedAsync(Changes, _changesTag, CancellationToken.None);
        if (!hasChanged && _seen is not null) return;
        var changes = Read(Changes, document, StoredJson.Default.ChangeList) ?? new ChangeList(Format, 0, []);
        if (changes.Domains is null) throw new InvalidDataException($"{Changes} names no domains.");
        var first = changes.Count - changes.Domains.Length;
        var isMissed = _seen is not { } known || known < first || known > changes.Count;

        // Listed behind that reading: what was changed before it is listed, what is changed later is heard of.
        var names = isMissed ? await documents.ListAsync(Prefix, CancellationToken.None) : null;
        lock (_gate)
        {
            if (names is not null)
            {
                Forget();
                _names = names.Count <= MaxNames ? [.. names] : null;
            }
            else
            {
                foreach (var domain in changes.Domains.Skip((int)(_seen!.Value - first))) Heard(domain);
            }

            (_seen, _changesTag) = (changes.Count, document?.Tag);
        }
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
        _names?.Add(Name(domain));
        if (_names?.Count > MaxNames) _names = null;
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

    private static string Name(string domain) => Prefix + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(domain)).AsSpan(0, 16));

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
