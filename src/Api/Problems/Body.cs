using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

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
        // What is shown once is to be pasted: `+` and quotation marks stay what they are. Nothing of it is put into a page.
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false) },
    };

    /// <param name="request">Whose.</param>
    /// <param name="max">Octets.</param>
    /// <param name="mayHold">Asked before so many octets of it are in memory; false = there is no room.</param>
    public static async Task<(T? Value, IResult? Refusal)> ReadAsync<T>(HttpRequest request, long max = Max, Func<long, bool>? mayHold = null) where T : class
    {
        if (!request.HasJsonContentType()) return (null, ApiProblem.Of(StatusCodes.Status415UnsupportedMediaType, "media-type", "Send JSON, as `application/json`."));
        try
        {
            var (read, refusal) = await ReadOctetsAsync(request, max, mayHold);
            if (read is null) return (null, refusal);
            var value = JsonSerializer.Deserialize<T>(read, Json);
            return value is null ? (null, ApiProblem.Invalid("", "The body is `null`.")) : (value, null);
        }
        catch (JsonException e)
        {
            return (null, ApiProblem.Of(StatusCodes.Status400BadRequest, "malformed", e.Path is null or "$" ? "The body is not the JSON that is asked for here." : "This member is not what is asked for here.", (e.Path ?? "").TrimStart('$').TrimStart('.')));
        }
    }

    /// <summary>The body as it is.</summary>
    public static async Task<(byte[]? Octets, IResult? Refusal)> ReadOctetsAsync(HttpRequest request, long max, Func<long, bool>? mayHold = null)
    {
        if (request.ContentLength > max) return (null, TooLarge(max));
        if (mayHold is not null && !mayHold(request.ContentLength ?? 0)) return (null, NoRoom);
        // This route's own limit stands in the place of the listener's.
        if (request.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit) limit.MaxRequestBodySize = max;
        var buffer = ArrayPool<byte>.Shared.Rent(64 << 10);
        try
        {
            using var content = new MemoryStream((int)(request.ContentLength ?? 0));
            while (await request.Body.ReadAsync(buffer, request.HttpContext.RequestAborted) is > 0 and var read)
            {
                if (mayHold is not null && !mayHold(content.Length + read)) return (null, NoRoom);
                content.Write(buffer, 0, read);
            }

            return (content.Length == content.Capacity ? content.GetBuffer() : content.ToArray(), null);
        }
        catch (BadHttpRequestException e)
        {
            return (null, e.StatusCode == StatusCodes.Status413PayloadTooLarge ? TooLarge(max) : ApiProblem.Of(e.StatusCode, "malformed", "The body did not come as it was announced."));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public static IResult NoRoom => ApiProblem.Of(StatusCodes.Status503ServiceUnavailable, "unavailable", "Memory for messages that are arriving is taken, try again in a moment.");

    private static IResult TooLarge(long max) => ApiProblem.Of(StatusCodes.Status413PayloadTooLarge, "too-large", $"At most {max} octets.");
}
