using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Angarium.Spool.Events;

/// <summary>What a sender wants to find a message by, as its envelope and the ledger keep it (in JSON). Immutable.</summary>
public sealed record EventLabels
{
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public string[]? Tags { get; init; }

    public IReadOnlyDictionary<string, string>? Metadata { get; init; }

    public override string ToString() => JsonSerializer.Serialize(this, s_json);

    /// <summary>Null = there are none that can be read: the event is worth more than its labels.</summary>
    public static EventLabels? Parse(string? text)
    {
        if (text is null) return null;
        try
        {
            return JsonSerializer.Deserialize<EventLabels>(text, s_json);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
