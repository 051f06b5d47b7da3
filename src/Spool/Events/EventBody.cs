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
    public static IReadOnlyList<string> Types { get; } = ["accepted", "delivered", "deferred", "failed", "expired", "dropped"];

    [Description("The same each time it is read.")]
    public required string Id { get; init; }

    [Description("`accepted`, `delivered`, `deferred`, `failed`, `expired` or `dropped`.")]
    public required string Type { get; init; }

    public DateTimeOffset Time { get; init; }

    public required string Tenant { get; init; }

    [Description("The message, as the answer to its sending named it.")]
    public required string Message { get; init; }

    [Description("This recipient of it.")]
    public required string RecipientId { get; init; }

    public required string Sender { get; init; }

    public required string Recipient { get; init; }

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

    /// <summary>What a record says to its tenant; null = nothing.</summary>
    public static string? TypeOf(LedgerRecord record) => record.Summary is null ? null : record.Kind switch
    {
        LedgerKind.Delivered or LedgerKind.Relayed => "delivered",
        LedgerKind.Deferred => "deferred",
        LedgerKind.Failed => "failed",
        LedgerKind.Expired => "expired",
        LedgerKind.Dropped => "dropped",
        _ => null,
    };

    /// <summary>The events of a record: with a recipient's first attempt, its acceptance.</summary>
    public static IEnumerable<EventBody> Of(PlacedRecord placed)
    {
        var record = placed.Record;
        if (TypeOf(record) is not { } type) yield break;
        var id = string.Create(CultureInfo.InvariantCulture, $"{placed.Stream.Writer:x16}-{placed.Stream.Number}-{placed.Offset}-{placed.Index}");
        if (record.Attempt <= 1) yield return Base(record, id + "-a", "accepted", record.Summary!.Accepted.ToDateTimeOffset());
        yield return Base(record, id, type, record.Time.ToDateTimeOffset()) with
        {
            Attempt = record.Attempt > 0 ? record.Attempt : null, Reply = record.Reply is { } reply ? $"{reply.Code} {reply.Status} {reply.Text}" : null, Own = record.Reply is null ? null : record.Own,
            Remote = record.Remote, Tls = record.Tls, NextAttempt = record.Kind == LedgerKind.Deferred ? record.Due.ToDateTimeOffset() : null,
        };
    }

    /// <summary>The same octets wherever it is read.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, s_json);

    private static EventBody Base(LedgerRecord record, string id, string type, DateTimeOffset time) => new()
    {
        Id = id, Type = type, Time = time, Tenant = record.Summary!.Tenant, Message = record.Summary.Message.ToString(), RecipientId = record.Key.ToString(), Sender = record.Summary.ReversePath,
        Recipient = record.Summary.Recipient, Size = record.Summary.Size,
    };
}
