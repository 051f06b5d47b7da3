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
    public async Task<T> GetAsync<T>(string path, CancellationToken cancellationToken)
    {
        try
        {
            using var response = await _http.GetAsync(new Uri(path, UriKind.Relative), cancellationToken);
            if (response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.ServiceUnavailable) throw new CommandException(await response.Content.ReadAsStringAsync(cancellationToken));
            if (!response.IsSuccessStatusCode) throw new CommandException($"the running process answered {(int)response.StatusCode}; its log says why.");
            return (await response.Content.ReadFromJsonAsync<T>(ControlJson.Options, cancellationToken))!;
        }
        catch (HttpRequestException e)
        {
            throw new CommandException(Unreachable(_path, e));
        }
    }

    public void Dispose() => _http.Dispose();

    /// <summary>Why nobody answers at a socket, in one line.</summary>
    public static string Unreachable(string path, Exception e) => e.InnerException is SocketException { SocketErrorCode: SocketError.AccessDenied }
        ? $"{path} may not be opened by this user; run the command as the user of the relay."
        : $"no relay runs on {Path.GetDirectoryName(path)}; start it, or name its folder with --data or its file with --config.";
}

/// <summary>Why a command could not do what it was asked, in one line, and the exit code for it.</summary>
internal sealed class CommandException(string line, int exitCode = 1) : Exception(line)
{
    public int ExitCode => exitCode;

    /// <summary>Nobody answered, or could not just now: it may be asked again.</summary>
    public bool IsUnreachable { get; init; }
}
