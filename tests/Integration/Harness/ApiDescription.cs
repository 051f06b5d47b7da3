using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Angarium.Integration.Harness;

/// <summary>One operation of the API as its OpenAPI document describes it.</summary>
internal sealed record ApiOperation(HttpMethod Method, string Path, string Id, JsonNode Description)
{
    private static readonly Regex s_parameters = new(@"\{(\w+)\}", RegexOptions.None, TimeSpan.FromSeconds(1));

    public IReadOnlyList<string> PathParameters => [.. s_parameters.Matches(Path).Select(match => match.Groups[1].Value)];

    public IReadOnlyList<string> QueryParameters => [.. (Description["parameters"] as JsonArray ?? []).Where(p => p!["in"]!.GetValue<string>() == "query").Select(p => p!["name"]!.GetValue<string>())];

    /// <summary>The schema of its JSON; null = it takes none.</summary>
    public JsonNode? BodySchema => Description["requestBody"]?["content"]?["application/json"]?["schema"];

    /// <summary>Its path with what each parameter stands for.</summary>
    public string At(Func<string, string> value) => s_parameters.Replace(Path, match => Uri.EscapeDataString(value(match.Groups[1].Value)));

    public override string ToString() => $"{Method} {Path}";
}

/// <summary>The API's own OpenAPI document. Tests that walk it meet every route that is added.</summary>
internal sealed class ApiDescription(JsonNode document)
{
    public IReadOnlyList<ApiOperation> Operations { get; } =
    [
        .. document["paths"]!.AsObject().SelectMany(path => path.Value!.AsObject().Where(one => one.Value is JsonObject && one.Key is "get" or "post" or "put" or "patch" or "delete")
            .Select(one => new ApiOperation(HttpMethod.Parse(one.Key), path.Key, one.Value!["operationId"]?.GetValue<string>() ?? "", one.Value!))),
    ];

    public static async Task<ApiDescription> ReadAsync(HttpClient http) => new(await Tenancy.GetAsync(http, "/openapi/v1.json"));

    /// <summary>What a schema refers to.</summary>
    public JsonNode Resolve(JsonNode schema)
    {
        for (var depth = 0; schema["$ref"]?.GetValue<string>() is { } reference; depth++)
        {
            Assert.True(depth < 10, reference);
            schema = document["components"]!["schemas"]![reference[(reference.LastIndexOf('/') + 1)..]]!;
        }

        return schema;
    }
}
