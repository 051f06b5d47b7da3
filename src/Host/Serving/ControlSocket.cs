using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace Angarium.Host.Serving;

/// <summary>
/// The Unix socket in `Data` by which commands reach the running process. Whoever may open the file may command: its mode is 0600, and the process creates
/// every file under that mask. A file left by a killed process is removed once the lock on `Data` is held.
/// </summary>
internal static class ControlSocket
{
    private const int MaxPath = 104;

    public static string PathIn(string data) => Path.Combine(Path.GetFullPath(data), "angarium.sock");

    /// <summary>From now on nothing that this process creates is readable by other users: mail is private.</summary>
    public static void MakeFilesPrivate()
    {
        if (!OperatingSystem.IsWindows()) _ = SetUmask(0x3F);
    }

    /// <exception cref="StartException">A path too long for a socket, or a stale file that cannot be removed.</exception>
    public static void Clear(string path)
    {
        if (Encoding.UTF8.GetByteCount(path) > MaxPath)
            throw new StartException($"Data: `{path}` is longer than a Unix socket's path may be ({MaxPath} octets); choose a folder with a shorter path.");
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StartException($"Data: {path}, left by an earlier process, cannot be removed: {e.Message}", e);
        }
    }

    public static HttpClient Connect(string path) => new(new SocketsHttpHandler
    {
        UseProxy = false,
        ConnectCallback = async (_, cancellationToken) =>
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        },
    })
    {
        BaseAddress = new Uri("http://angarium/"),
        Timeout = TimeSpan.FromMinutes(10),
    };

    [DllImport("libc", EntryPoint = "umask")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern uint SetUmask(uint mask);
}
