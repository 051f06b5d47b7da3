using System.Text.Json;
using System.Text.Json.Serialization;
using Angarium.Mail;

namespace Angarium.Host.Control;

/// <summary>How contract records read on the control socket and after `--json`: keys and ids in base32, times as ISO 8601, enums as words. Any thread.</summary>
internal static class ControlJson
{
    public static JsonSerializerOptions Options { get; } = Make();

    private static JsonSerializerOptions Make()
    {
        var options = new JsonSerializerOptions(JsonSerializerDefaults.Web) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };
        options.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.CamelCase));
        options.Converters.Add(new TextConverter<RecipientKey>(key => key.ToString(), text => RecipientKey.TryParse(text, out var key) ? key : throw new JsonException()));
        options.Converters.Add(new TextConverter<MessageId>(id => id.ToString(), text => MessageId.TryParse(text, out var id) ? id : throw new JsonException()));
        options.Converters.Add(new TextConverter<EnhancedStatus>(status => status.ToString(), ParseStatus));
        options.Converters.Add(new TextConverter<StoreTime>(
            time => time.Milliseconds == 0 ? "" : time.ToString(),
            text => text.Length == 0 ? default : StoreTime.FromDateTimeOffset(DateTimeOffset.Parse(text, System.Globalization.CultureInfo.InvariantCulture))));
        return options;
    }

    private static EnhancedStatus ParseStatus(string text)
    {
        if (text.Length == 0) return default;
        var parts = text.Split('.');
        return parts.Length == 3 && byte.TryParse(parts[0], out var kind) && ushort.TryParse(parts[1], out var subject) && ushort.TryParse(parts[2], out var detail)
            ? new EnhancedStatus(kind, subject, detail)
            : throw new JsonException();
    }

    private sealed class TextConverter<T>(Func<T, string> write, Func<string, T> read) : JsonConverter<T>
    {
        public override T? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => read(reader.GetString() ?? "");

        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WriteStringValue(write(value));
    }
}
