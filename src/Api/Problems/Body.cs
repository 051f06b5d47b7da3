using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;

namespace Angarium.Api.Problems;

/// <summary>Reads a request's JSON: strictly, in bounds, and with a refusal that names the member. No state; any thread.</summary>
internal static class Body
{
    /// <summary>Nothing that the API takes here is larger; content of messages has a limit of its own.</summary>
    public const int Max = 64 << 10;

    public static JsonSerializerOptions Json { get; } = new(JsonSerializerDefaults.Web)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, MaxDepth = 16, NumberHandling = JsonNumberHandling.Strict, PropertyNameCaseInsensitive = false, RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, AllowDuplicateProperties = false,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false) },
    };

    public static async Task<(T? Value, IResult? Refusal)> ReadAsync<T>(HttpRequest request) where T : class
    {
        if (!request.HasJsonContentType()) return (null, ApiProblem.Of(StatusCodes.Status415UnsupportedMediaType, "media-type", "Send JSON, as `application/json`."));
        if (request.ContentLength > Max) return (null, TooLarge);
        try
        {
            var read = await ReadBoundedAsync(request);
            if (read is null) return (null, TooLarge);
            var value = JsonSerializer.Deserialize<T>(read, Json);
            return value is null ? (null, ApiProblem.Invalid("", "The body is `null`.")) : (value, null);
        }
        catch (JsonException e)
        {
            return (null, ApiProblem.Of(StatusCodes.Status400BadRequest, "malformed", e.Path is null or "$" ? "The body is not the JSON that is asked for here." : "This member is not what is asked for here.", (e.Path ?? "").TrimStart('$').TrimStart('.')));
        }
        catch (BadHttpRequestException e)
        {
            return (null, ApiProblem.Of(e.StatusCode, "malformed", "The body did not come as it was announced."));
        }
    }

    private static IResult TooLarge => ApiProblem.Of(StatusCodes.Status413PayloadTooLarge, "too-large", $"At most {Max} octets.");

    private static async Task<byte[]?> ReadBoundedAsync(HttpRequest request)
    {
        using var content = new MemoryStream();
        var buffer = new byte[4096];
        for (int read; (read = await request.Body.ReadAsync(buffer, request.HttpContext.RequestAborted)) > 0;)
        {
            if (content.Length + read > Max) return null;
            content.Write(buffer, 0, read);
        }

        return content.ToArray();
    }
}
