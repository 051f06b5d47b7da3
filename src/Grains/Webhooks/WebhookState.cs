using System.Text.Json;
using System.Text.Json.Serialization;
using Angarium.Spool.Documents;
using Angarium.Spool.Ledger;

namespace Angarium.Grains.Webhooks;

/// <summary>
/// How far a webhook was posted to, as stored in `posted/&lt;tenant&gt;/&lt;webhook&gt;` and changed by compare-and-swap. What was posted since it was written is posted again after a crash. Immutable.
/// </summary>
internal sealed record WebhookState
{
    public const int Format = 1;

    public int Version { get; init; } = Format;

    /// <summary>All before it was taken.</summary>
    public required string Cursor { get; init; }

    public required WebhookStanding Standing { get; init; }

    /// <summary>Ids of events behind it that were taken too, with blanks between; null = none.</summary>
    public string? Posted { get; init; }

    public static string Name(string tenant, string webhook) => $"posted/{tenant}/{webhook}";

    public static async Task<(WebhookState? State, string? Tag)> ReadAsync(IDocumentStore documents, string tenant, string webhook, CancellationToken cancellationToken)
    {
        var name = Name(tenant, webhook);
        if (await documents.ReadAsync(name, cancellationToken) is not { } document) return (null, null);
        try
        {
            var state = JsonSerializer.Deserialize(document.Content.Span, WebhookStateJson.Default.WebhookState);
            return state is { Version: Format } && LedgerCursor.Parse(state.Cursor) is not null ? (state, document.Tag) : throw new InvalidDataException($"{name} is of a version that this version of angarium does not know, or damaged.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{name} cannot be read: {e.Message}", e);
        }
    }

    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, WebhookStateJson.Default.WebhookState);
}

/// <summary>
/// Which tenants have, or had, webhooks: documents `webhooks/&lt;tenant&gt;` that say nothing else, so that silos find them without reading every tenant. One is there before the first webhook, and as
/// long as its tenant: none is taken away while another silo may make a webhook. No state.
/// </summary>
internal static class WebhookMarker
{
    public const string Prefix = "webhooks/";

    private static readonly byte[] s_content = "{\"version\":1}"u8.ToArray();

    public static Task MakeAsync(IDocumentStore documents, string tenant, CancellationToken cancellationToken) => documents.WriteAsync(Prefix + tenant, s_content, null, cancellationToken);

    public static Task DeleteAsync(IDocumentStore documents, string tenant, CancellationToken cancellationToken) => documents.DeleteAsync(Prefix + tenant, cancellationToken);
}

/// <summary>Generated reader and writer of the document. Stateless.</summary>
[JsonSerializable(typeof(WebhookState))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
internal sealed partial class WebhookStateJson : JsonSerializerContext;
