using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using Angarium.Host.Serving;

namespace Angarium.Host.Control;

/// <summary>A command's side of the control socket. One command, one thread.</summary>
internal sealed class ControlClient(string data) : IDisposable
{
    private readonly string _path = ControlSocket.PathIn(data);
    private readonly HttpClient _http = ControlSocket.Connect(ControlSocket.PathIn(data));

    /// <exception cref="CommandException">No process runs, or it refused.</exception>
    public Task<T> GetAsync<T>(string path, CancellationToken cancellationToken) => SendAsync<T>(HttpMethod.Get, path, cancellationToken);

    /// <exception cref="CommandException">No process runs, or it refused.</exception>
    public Task<T> PostAsync<T>(string path, CancellationToken cancellationToken) => SendAsync<T>(HttpMethod.Post, path, cancellationToken);

    public void Dispose() => _http.Dispose();

    private async Task<T> SendAsync<T>(HttpMethod method, string path, CancellationToken cancellationToken)
    {
        try
        {
            using var request = new HttpRequestMessage(method, path);
            using var response = await _http.SendAsync(request, cancellationToken);
            if (response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.ServiceUnavailable) throw new CommandException(await response.Content.ReadAsStringAsync(cancellationToken));
            if (!response.IsSuccessStatusCode) throw new CommandException($"the running process answered {(int)response.StatusCode}; its log says why.");
            return (await response.Content.ReadFromJsonAsync<T>(ControlJson.Options, cancellationToken))!;
        }
        catch (HttpRequestException e)
        {
            throw new CommandException(e.InnerException is SocketException { SocketErrorCode: SocketError.AccessDenied }
                ? $"{_path} may not be opened by this user; run the command as the user of the relay."
                : $"no relay runs on {Path.GetDirectoryName(_path)}; start it, or name its folder with --data or its file with --config.");
        }
    }
}

/// <summary>Why a command could not do what it was asked, in one line, and the exit code for it.</summary>
internal sealed class CommandException(string line, int exitCode = 1) : Exception(line)
{
    public int ExitCode => exitCode;
}
