using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Angarium.Host.Control;

namespace Angarium.Host.Commands;

/// <summary>Calls the API over HTTP for a command, with a key of the caller's: what people do by hand is what programs do. One thread.</summary>
internal sealed class ApiClient : IDisposable
{
    public const string DefaultAddress = "http://127.0.0.1:8080";

    private readonly HttpClient _http;

    /// <exception cref="CommandException">There is no key.</exception>
    public ApiClient(string? address, string? key)
    {
        if (string.IsNullOrWhiteSpace(key)) throw new CommandException("no API key: give --key, or set ANGARIUM_API_KEY.", Serving.ServeCommand.ExitBadSettings);
        if (!Uri.TryCreate(address ?? DefaultAddress, UriKind.Absolute, out var at) || at.Scheme is not ("http" or "https")) throw new CommandException($"--api: `{address}` is not an address, such as {DefaultAddress}.", Serving.ServeCommand.ExitBadSettings);
        _http = new HttpClient { BaseAddress = at, Timeout = TimeSpan.FromSeconds(60) };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key.Trim());
    }

    /// <summary>What it answers; null = nothing, and it was done.</summary>
    /// <exception cref="CommandException">It was not done, in one line.</exception>
    public async Task<JsonNode?> SendAsync(HttpMethod method, string path, JsonNode? body, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative));
        if (body is not null) request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        HttpResponseMessage response;
        try
        {
            response = await _http.SendAsync(request, cancellationToken);
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !cancellationToken.IsCancellationRequested)
        {
            throw new CommandException($"the API at {_http.BaseAddress} cannot be reached; give --api, or set ANGARIUM_API_URL.");
        }

        using (response)
        {
            var text = await response.Content.ReadAsStringAsync(cancellationToken);
            var node = text.Length == 0 ? null : Parse(text);
            if (response.IsSuccessStatusCode) return node;
            var field = node?["field"]?.ToString();
            throw new CommandException($"{(string.IsNullOrEmpty(field) ? "" : field + ": ")}{node?["detail"]?.ToString() ?? $"the API answered {(int)response.StatusCode}."}");
        }
    }

    public void Dispose() => _http.Dispose();

    private static JsonNode? Parse(string text)
    {
        try
        {
            return JsonNode.Parse(text);
        }
        catch (System.Text.Json.JsonException)
        {
            throw new CommandException("what answered there is not the API.");
        }
    }
}
