using System.ComponentModel;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Angarium.Spool.Ledger;

namespace Angarium.Spool.Events;

/// <summary>One step of one recipient, as its tenant reads it: in the feed, in a trace and in what webhooks post. A value, made of one record of the ledger; any thread.</summary>
public sealed record EventBody
{
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Every <see cref="Type"/> there is.</summary>
    public static IReadOnlyList<string> Types { get; } = ["accepted", "delivered", "deferred", "failed", "expired", "dropped", "paused", "resumed"];

    [Description("The same each time it is read.")]
    public required string Id { get; init; }

    [Description("`accepted`, `delivered`, `deferred`, `failed`, `expired`, `dropped`, or, where its message was held and released, `paused` and `resumed`.")]
    public required string Type { get; init; }

    public DateTimeOffset Time { get; init; }

    public required string Tenant { get; init; }

    [Description("The message, as the answer to its sending named it.")]
    public required string Message { get; init; }

    [Description("This recipient of it.")]
    public required string RecipientId { get; init; }

    [Description("Absent where only the message is known.")]
    public string? Sender { get; init; }

    [Description("Absent where only the message is known.")]
    public string? Recipient { get; init; }

    [Description("Octets.")]
    public long Size { get; init; }

    public int? Attempt { get; init; }

    [Description("The receiver's last word, or ours.")]
    public string? Reply { get; init; }

    [Description("The reply is ours and no receiver's.")]
    public bool? Own { get; init; }

    public string? Remote { get; init; }

    public string? Tls { get; init; }

    [Description("When it is tried again.")]
    public DateTimeOffset? NextAttempt { get; init; }

    [Description("As they were given with the message.")]
    public string[]? Tags { get; init; }

    [Description("As it was given with the message.")]
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }

    /// <summary>What a record says to its tenant; null = nothing.</summary>
    public static string? TypeOf(LedgerRecord record) => record.Summary is null ? null : record.Kind switch
    {
        LedgerKind.Delivered or LedgerKind.Relayed => "delivered",
        LedgerKind.Deferred => "deferred",
        LedgerKind.Failed => "failed",
        LedgerKind.Expired => "expired",
        LedgerKind.Dropped => "dropped",
        LedgerKind.Held => "paused",
        LedgerKind.Released => "resumed",
        _ => null,
    };

    /// <summary>The events of a record: with what may be a recipient's first, its acceptance, which has the same id each time.</summary>
    public static IEnumerable<EventBody> Of(PlacedRecord placed)
    {
        var record = placed.Record;
        if (TypeOf(record) is not { } type) yield break;
        var id = string.Create(CultureInfo.InvariantCulture, $"{placed.Stream.Writer:x16}-{placed.Stream.Number}-{placed.Offset}-{placed.Index}");
        if (record.MayBeFirst) yield return Base(record, $"{record.Key}-accepted", "accepted", record.Summary!.Accepted.ToDateTimeOffset());
        yield return Base(record, id, type, record.Time.ToDateTimeOffset()) with
        {
            Attempt = record.Attempt > 0 ? record.Attempt : null, Reply = record.Reply is { } reply ? $"{reply.Code} {reply.Status} {reply.Text}" : null, Own = record.Reply is null ? null : record.Own,
            Remote = record.Remote, Tls = record.Tls, NextAttempt = record.Kind == LedgerKind.Deferred ? record.Due.ToDateTimeOffset() : null,
        };
    }

    /// <summary>The same octets wherever it is read.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, s_json);

    private static EventBody Base(LedgerRecord record, string id, string type, DateTimeOffset time)
    {
        var summary = record.Summary!;
        // The null reverse-path is empty too: of an envelope that was not read the recipient tells.
        var isKnown = summary.Recipient.Length > 0;
        var labels = EventLabels.Parse(summary.Labels);
        return new EventBody
        {
            Id = id, Type = type, Time = time, Tenant = summary.Tenant, Message = summary.Message.ToString(), RecipientId = record.Key.ToString(), Sender = isKnown ? summary.ReversePath : null,
            Recipient = isKnown ? summary.Recipient : null, Size = summary.Size, Tags = labels?.Tags, Metadata = labels?.Metadata,
        };
    }
}
