using System.CommandLine;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Angarium.Host.Control;
using Angarium.Host.Serving;

namespace Angarium.Host.Commands;

/// <summary>
/// Calls the API for a command: over HTTP with a key of the caller's, or, what operators ask, over the socket in the `Data` of a running process: what people do by hand is what programs do. One thread.
/// </summary>
internal sealed class ApiClient : IDisposable
{
    public const string DefaultAddress = "http://127.0.0.1:8080";

    private const string UrlVariable = "ANGARIUM_API_URL", KeyVariable = "ANGARIUM_API_KEY";

    private readonly HttpClient _http;
    private readonly Func<Exception, string> _unreachable;

    private ApiClient(HttpClient http, Func<Exception, string> unreachable) => (_http, _unreachable) = (http, unreachable);

    public static Option<string?> Address { get; } = new("--api") { Description = $"Address of the API (also {UrlVariable}; else {DefaultAddress}).", Recursive = true, HelpName = "URL" };

    public static Option<string?> Key { get; } = new("--key") { Description = $"API key (also {KeyVariable}, which other people on the machine do not see).", Recursive = true, HelpName = "KEY" };

    /// <summary>It is over HTTP that the command is meant to go: the line or the environment says where or with which key, and the line names no process of this machine.</summary>
    public static bool IsRemote(ParseResult line, bool namesProcess) =>
        (line.GetValue(Address) ?? line.GetValue(Key)) is not null || !namesProcess && (Variable(UrlVariable) ?? Variable(KeyVariable)) is not null;

    /// <exception cref="CommandException">There is no key.</exception>
    public static ApiClient OverHttp(ParseResult line, TimeSpan timeout)
    {
        var (address, key) = (line.GetValue(Address) ?? Variable(UrlVariable) ?? DefaultAddress, line.GetValue(Key) ?? Variable(KeyVariable));
        if (string.IsNullOrWhiteSpace(key)) throw new CommandException($"no API key: give --key, or set {KeyVariable}.", ServeCommand.ExitBadSettings);
        if (!Uri.TryCreate(address, UriKind.Absolute, out var at) || at.Scheme is not ("http" or "https")) throw new CommandException($"--api: `{address}` is not an address, such as {DefaultAddress}.", ServeCommand.ExitBadSettings);
        var http = new HttpClient { BaseAddress = at, Timeout = timeout };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key.Trim());
        return new ApiClient(http, _ => $"the API at {at} cannot be reached; give --api, or set {UrlVariable}.");
    }

    /// <param name="data">Folder of the running process.</param>
    public static ApiClient OverSocket(string data)
    {
        var path = ControlSocket.PathIn(data);
        return new ApiClient(ControlSocket.Connect(path), e => ControlClient.Unreachable(path, e));
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
            throw new CommandException(_unreachable(e)) { IsUnreachable = true };
        }

        using (response)
        {
            var text = await response.Content.ReadAsStringAsync(cancellationToken);
            var node = text.Length == 0 ? null : Parse(text);
            if (response.IsSuccessStatusCode) return node;
            var field = node?["field"]?.ToString();
            // What is not there, or cannot be done now, is the fault of no member.
            var isOfField = !string.IsNullOrEmpty(field) && (int)response.StatusCode is not (404 or 503);
            throw new CommandException($"{(isOfField ? field + ": " : "")}{node?["detail"]?.ToString() ?? $"the API answered {(int)response.StatusCode}."}") { IsUnreachable = (int)response.StatusCode >= 500 };
        }
    }

    public void Dispose() => _http.Dispose();

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

    private static JsonNode? Parse(string text)
    {
        try
        {
            return JsonNode.Parse(text);
        }
        catch (System.Text.Json.JsonException)
        {
            throw new CommandException(text.Contains('\n', StringComparison.Ordinal) || text.Length > 200 ? "what answered there is not the API." : Logging.Printable.Line(text));
        }
    }
}
