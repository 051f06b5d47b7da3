using System.Text.Json;
using System.Text.Json.Serialization;
using Angarium.Contracts.Inbound;

namespace Angarium.Grains.Inbound;

/// <summary>
/// What is true of an inbound domain, as stored in `inbound/&lt;hash of the domain&gt;`: created only where there is none, changed by compare-and-swap. Whose it is, is in it, so that no two have it.
/// One that was given up stays, empty: deleting is not conditional, and what another entered meanwhile could go with it. Immutable.
/// </summary>
internal sealed record InboundRecord
{
    /// <summary>The version of the document that this build reads and writes.</summary>
    public const int Format = 1;

    public const int MaxRecipients = 10_000;

    public int Version { get; init; } = Format;

    /// <summary>A-label, lower case.</summary>
    public required string Domain { get; init; }

    /// <summary>Empty = nobody's any more.</summary>
    public string Tenant { get; init; } = "";

    public DateTimeOffset Created { get; init; }

    /// <summary>Rises with every change.</summary>
    public long Changes { get; init; } = 1;

    /// <summary>Empty = by MX.</summary>
    public string Route { get; init; } = "";

    /// <summary>An administrator set the route: it may lead to addresses that are not public.</summary>
    public bool IsPrivate { get; init; }

    /// <summary>An administrator entered it for a tenant that had not verified it.</summary>
    public bool IsVouched { get; init; }

    /// <summary>Those that are not named are recipients too.</summary>
    public bool CatchAll { get; init; }

    /// <summary>Local parts without quotes, in lower case, in ordinal order.</summary>
    public string[] Recipients { get; init; } = [];

    /// <summary>
    /// How a local part stands. Case makes no difference: a list that told `Anna` from `anna` would refuse mail that its domain takes (what RFC 5321 §2.4 asks to be kept is kept in the envelope).
    /// `user+tag` is `user` unless it is named itself.
    /// </summary>
    public InboundStanding Judge(string mailbox)
    {
        var name = mailbox.ToLowerInvariant();
        // RFC 5321 §4.5.1.
        if (name == "postmaster" || Names(name)) return InboundStanding.Accepted;
        // `user%other@here`, `other!user@here` and `"user@other"@here` ask the next hop to send on what it trusts from us: only names in the list may look so.
        if (name.AsSpan().ContainsAny('@', '%', '!')) return InboundStanding.Nobodys;
        if (CatchAll) return InboundStanding.Accepted;
        return name.IndexOf('+', StringComparison.Ordinal) is > 0 and var plus && Names(name[..plus]) ? InboundStanding.Accepted : InboundStanding.Unknown;
    }

    public static InboundRecord Parse(ReadOnlyMemory<byte> content, string domain)
    {
        try
        {
            using var json = JsonDocument.Parse(content);
            // The version first: what it says of the rest is clearer than the first member that this build does not know.
            if (json.RootElement is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("version", out var version) && version.GetRawText() != $"{Format}")
                throw new InvalidDataException($"The document of the inbound domain {domain} is of version {version.GetRawText()}; this version of angarium reads {Format}.");
            return json.Deserialize(InboundJson.Default.InboundRecord) is { } record && record.Domain == domain ? record : throw new InvalidDataException($"The document of the inbound domain {domain} is another's.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"The document of the inbound domain {domain} cannot be read: {e.Message}", e);
        }
    }

    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, InboundJson.Default.InboundRecord);

    private bool Names(string name) => Array.BinarySearch(Recipients, name, StringComparer.Ordinal) >= 0;
}

/// <summary>Generated reader and writer of the documents. An unknown member is refused: rewriting the document would lose it. Stateless.</summary>
[JsonSerializable(typeof(InboundRecord))]
[JsonSerializable(typeof(InboundNames.Stored))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
internal sealed partial class InboundJson : JsonSerializerContext;
