using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Angarium.Spool.Events;
using Angarium.Spool.Ledger;

namespace Angarium.Grains.Webhooks;

/// <summary>One event as it is posted. A value.</summary>
internal readonly record struct EventLine(string Id, string Type, byte[] Json)
{
    /// <summary>Octets in memory, about.</summary>
    public int Size => Json.Length + 2 * Id.Length + 100;

    /// <summary>What a record says to its tenant.</summary>
    public static IEnumerable<EventLine> Of(PlacedRecord record) => EventBody.Of(record).Select(one => new EventLine(one.Id, one.Type, one.ToJson()));
}

/// <summary>
/// What goes with one post: events in their order under an id, which is the same whenever the same events are posted again. Immutable.
/// </summary>
internal sealed record WebhookBatch(string Id, byte[] Body)
{
    public const int MaxEvents = 100, MaxOctets = 256 << 10;

    /// <summary>What the body has beside its events.</summary>
    private const int Frame = 512;

    /// <summary>Room for events, each with its comma.</summary>
    public const int Room = MaxOctets - Frame;

    public static WebhookBatch Of(string tenant, string webhook, IReadOnlyList<EventLine> events, DateTimeOffset now)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(webhook));
        foreach (var one in events) hash.AppendData(Encoding.UTF8.GetBytes("\n" + one.Id));
        return Of("b" + Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 16)), tenant, webhook, events.Select(e => e.Json), now);
    }

    /// <summary>One event of the type `test`.</summary>
    public static WebhookBatch Test(string tenant, string webhook, DateTimeOffset now)
    {
        var id = "test-" + RandomNumberGenerator.GetHexString(16, lowercase: true);
        var json = JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, string> { ["id"] = id, ["type"] = "test", ["time"] = now.ToString("O", CultureInfo.InvariantCulture), ["tenant"] = tenant });
        return Of("b" + RandomNumberGenerator.GetHexString(32, lowercase: true), tenant, webhook, [json], now);
    }

    private static WebhookBatch Of(string id, string tenant, string webhook, IEnumerable<byte[]> events, DateTimeOffset now)
    {
        var body = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(body))
        {
            json.WriteStartObject();
            json.WriteString("id", id);
            json.WriteString("webhook", webhook);
            json.WriteString("tenant", tenant);
            json.WriteString("time", now);
            json.WriteStartArray("events");
            foreach (var one in events) json.WriteRawValue(one, skipInputValidation: true);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        return new WebhookBatch(id, body.WrittenSpan.ToArray());
    }
}
