using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Angarium.Mail;
using Angarium.Spool.Documents;

namespace Angarium.Grains.Control;

/// <summary>
/// What operators ordered for a domain, as one document each, `control/` and a hash of the domain (no name contains text from an envelope). Changes are made by
/// compare-and-swap, so two at once both count. Any thread; no state of its own: a document that is not there means that nothing was ordered.
/// </summary>
internal sealed class ControlDocuments(IDocumentStore documents) : IControlDocuments
{
    public const int MaxHeldMessages = 10_000;

    private const int MaxAttempts = 20;

    public async Task<DomainControl> LoadAsync(string domain, CancellationToken cancellationToken) =>
        Read(await documents.ReadAsync(Name(domain), cancellationToken));

    public async Task<DomainControl> ChangeAsync(string domain, Func<DomainControl, DomainControl> change, CancellationToken cancellationToken)
    {
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            var document = await documents.ReadAsync(Name(domain), cancellationToken);
            var before = Read(document);
            var after = change(before);
            if (after.HeldMessages.Count > MaxHeldMessages) throw new InvalidOperationException($"More than {MaxHeldMessages} messages of one domain cannot be held; hold the domain.");
            if (after.Held == before.Held && after.HeldMessages.SetEquals(before.HeldMessages)) return after;
            // A document that says nothing stays: deleting is not conditional, and another's change could go with it.
            var stored = new Stored(domain, after.Held, [.. after.HeldMessages.Order().Select(k => k.ToString())]);
            if (await documents.WriteAsync(Name(domain), JsonSerializer.SerializeToUtf8Bytes(stored, StoredJson.Default.Stored), document?.Tag, cancellationToken) is not null) return after;
        }

        throw new IOException($"The control document of {domain} was changed by others {MaxAttempts} times in a row.");
    }

    private static DomainControl Read(Document? document)
    {
        if (document is null) return DomainControl.None;
        var stored = JsonSerializer.Deserialize(document.Content.Span, StoredJson.Default.Stored) ?? throw new InvalidDataException("An empty control document.");
        var held = new HashSet<RecipientKey>();
        foreach (var text in stored.Messages) held.Add(RecipientKey.TryParse(text, out var key) ? key : throw new InvalidDataException($"`{text}` is not a message id."));
        return new DomainControl { Held = stored.Held, HeldMessages = held };
    }

    private static string Name(string domain) => "control/" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(domain)).AsSpan(0, 16));

    /// <summary>The document as stored. The domain is in it for people who look.</summary>
    internal sealed record Stored(string Domain, bool Held, string[] Messages);
}

/// <summary>Generated reader and writer of the document. Stateless.</summary>
[JsonSerializable(typeof(ControlDocuments.Stored))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
internal sealed partial class StoredJson : JsonSerializerContext;
