using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Angarium.TestKit.Dialogs;

namespace Angarium.TestKit.Peers;

/// <summary>
/// An SMTP server on loopback that follows a script and keeps what was said to it. One line of script: `S: text` sends a line, `S= text` sends text without
/// an end (escapes as in <see cref="DialogScript"/>), `C: text` expects exactly that line, `C~ prefix` a line that starts so, `C*` takes lines to a lone dot, `CUT` closes,
/// `RESET` resets, `TLS` begins TLS, `STALL` says no more and waits for the client to leave, `REPEAT n text` sends a line n times. Anything else is a comment.
/// One connection for each script given; a client that says something else gets a cut, and <see cref="Mismatch"/> tells.
/// </summary>
public sealed class ScriptedPeer : IAsyncDisposable
{
    private readonly Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly Task running;
    private readonly CancellationTokenSource stop = new();
    private readonly StringBuilder heard = new();
    private int disposed;

    public ScriptedPeer(Slicing slicing, X509Certificate2? certificate, params IReadOnlyList<string>[] scripts)
    {
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        EndPoint = (IPEndPoint)listener.LocalEndPoint!;
        running = RunAsync(slicing, certificate, scripts);
    }

    public IPEndPoint EndPoint { get; }

    /// <summary>Everything that clients sent, Latin-1, connections one after the other.</summary>
    public string Heard
    {
        get
        {
            lock (heard) return heard.ToString();
        }
    }

    /// <summary>Where a client left the script; null = nowhere.</summary>
    public string? Mismatch { get; private set; }

    /// <summary>All scripts have been played to their ends.</summary>
    public Task Finished => running;

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref disposed, 1) != 0) return;
        await stop.CancelAsync();
        listener.Dispose();
        try
        {
            await running;
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or IOException or ObjectDisposedException)
        {
            // It was told to stop.
        }

        stop.Dispose();
    }

    private async Task RunAsync(Slicing slicing, X509Certificate2? certificate, IReadOnlyList<string>[] scripts)
    {
        foreach (var script in scripts)
        {
            using var socket = await listener.AcceptAsync(stop.Token);
            socket.NoDelay = true;
            Stream stream = new NetworkStream(socket);
            try
            {
                await PlayAsync(script, socket, stream, slicing, certificate);
            }
            catch (IOException)
            {
                // The client went first: what it did is in Heard.
            }
        }
    }

    private async Task PlayAsync(IReadOnlyList<string> script, Socket socket, Stream stream, Slicing slicing, X509Certificate2? certificate)
    {
        var unread = new MemoryStream();
        var gathered = new MemoryStream();
        foreach (var step in script)
        {
            if (step.StartsWith("S: ", StringComparison.Ordinal) || step == "S:")
            {
                gathered.Write(Encoding.Latin1.GetBytes(DialogScript.Unescape(step.Length > 3 ? step[3..] : "") + "\r\n"));
                if (slicing != Slicing.Whole) await SendAsync();
                continue;
            }

            if (step.StartsWith("S= ", StringComparison.Ordinal))
            {
                gathered.Write(Encoding.Latin1.GetBytes(DialogScript.Unescape(step[3..])));
                continue;
            }

            if (step.StartsWith("REPEAT ", StringComparison.Ordinal))
            {
                var parts = step.Split(' ', 3);
                for (var i = 0; i < int.Parse(parts[1]); i++) gathered.Write(Encoding.Latin1.GetBytes(DialogScript.Unescape(parts[2]) + "\r\n"));
                continue;
            }

            await SendAsync();
            if (step == "C*")
            {
                while (await LineAsync() is { } line && line != ".") { }
            }
            else if (step.StartsWith("C: ", StringComparison.Ordinal) || step == "C:" || step.StartsWith("C~ ", StringComparison.Ordinal))
            {
                var wanted = DialogScript.Unescape(step.Length > 3 ? step[3..] : "");
                var line = await LineAsync();
                if (line is null || (step[1] == ':' ? line != wanted : !line.StartsWith(wanted, StringComparison.Ordinal)))
                {
                    Mismatch ??= $"wanted `{wanted}`, heard `{line ?? "the end"}`";
                    socket.Close(0);
                    return;
                }
            }
            else if (step == "TLS")
            {
                var secure = new SslStream(stream);
                await secure.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = certificate }, stop.Token);
                stream = secure;
            }
            else if (step == "CUT")
            {
                socket.Shutdown(SocketShutdown.Both);
                socket.Close();
                return;
            }
            else if (step == "RESET")
            {
                socket.Close(0);
                return;
            }
            else if (step == "STALL")
            {
                while (await LineAsync() is not null) { }
                return;
            }
        }

        await SendAsync();
        if (stream is SslStream tls) await tls.ShutdownAsync();
        socket.Shutdown(SocketShutdown.Both);
        socket.Close();

        async Task SendAsync()
        {
            var bytes = gathered.ToArray();
            gathered.SetLength(0);
            var size = slicing == Slicing.ByByte ? 1 : Math.Max(1, bytes.Length);
            for (var at = 0; at < bytes.Length; at += size) await stream.WriteAsync(bytes.AsMemory(at, Math.Min(size, bytes.Length - at)), stop.Token);
        }

        async Task<string?> LineAsync()
        {
            var buffer = new byte[4096];
            while (true)
            {
                var all = unread.GetBuffer().AsSpan(0, (int)unread.Length);
                var end = all.IndexOf("\r\n"u8);
                if (end >= 0)
                {
                    var line = Encoding.Latin1.GetString(all[..end]);
                    var rest = all[(end + 2)..].ToArray();
                    unread.SetLength(0);
                    unread.Write(rest);
                    return line;
                }

                int read;
                try
                {
                    read = await stream.ReadAsync(buffer, stop.Token);
                }
                catch (IOException)
                {
                    return null;
                }

                if (read == 0) return null;
                lock (heard) heard.Append(Encoding.Latin1.GetString(buffer, 0, read));
                unread.Write(buffer, 0, read);
            }
        }
    }
}
