using System.Net.Security;
using System.Text;

namespace Angarium.TestKit.Dialogs;

/// <summary>
/// An SMTP client that follows a script. One line of script: `C: text` sends a line, `C= text` sends text without an end (escapes as in
/// <see cref="DialogScript"/>), `REPEAT n text` sends a line n times; those in a row are one write group, `GAP` begins another. `S: text` expects exactly that
/// line, `S~ prefix` a line that starts so, `S* code` a whole reply with that code, `CLOSED` the server's end, with nothing said before it; `TLS` begins TLS,
/// `CUT` leaves. Anything else is a comment. At the end of the script it leaves, and the server must have nothing more to say.
/// </summary>
public sealed class ScriptedClient(MemoryConnection connection, Slicing slicing, bool together)
{
    /// <summary>Far beyond what any step takes: it only makes a hang a failure.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly StringBuilder _group = new();
    private readonly StringBuilder _unread = new();
    private Stream _stream = connection.Client;
    private Action? _accept;
    private bool _hasLeft;

    /// <summary>Plays the script; null, or where the server left it. What it says before it first listens has been sent when <paramref name="accept"/> starts the server.</summary>
    public async Task<string?> PlayAsync(IEnumerable<string> steps, Action accept, CancellationToken cancellationToken)
    {
        _accept = accept;
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        if (await PlayAllAsync(steps, patience.Token) is { } mismatch) return mismatch;
        return await EndAsync(patience.Token) is { } more ? $"at the end: {more}" : null;
    }

    /// <summary>Plays some steps, the first of them to a server that runs already, and stays.</summary>
    /// <exception cref="InvalidOperationException">Where the server left the script.</exception>
    public async Task DoAsync(CancellationToken cancellationToken, params string[] steps)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        if (await PlayAllAsync([.. steps, "GAP"], patience.Token) is { } mismatch) throw new InvalidOperationException(mismatch);
    }

    /// <summary>The server has said something that no step has taken yet, or has closed.</summary>
    public bool HasReplies => _unread.Length > 0 || connection.HasOutput;

    private async Task<string?> PlayAllAsync(IEnumerable<string> steps, CancellationToken cancellationToken)
    {
        var number = 0;
        foreach (var step in steps)
        {
            number++;
            if (await PlayAsync(step, cancellationToken) is not { } mismatch) continue;
            Leave();
            return $"step {number} `{step}`: {mismatch}";
        }

        return null;
    }

    private async Task<string?> PlayAsync(string step, CancellationToken cancellationToken)
    {
        var text = step.Length > 3 ? DialogScript.Unescape(step[3..]) : "";
        if (step.StartsWith("C: ", StringComparison.Ordinal) || step == "C:") _group.Append(text + "\r\n");
        else if (step.StartsWith("C= ", StringComparison.Ordinal)) _group.Append(text);
        else if (step.StartsWith("REPEAT ", StringComparison.Ordinal))
        {
            var parts = step.Split(' ', 3);
            for (var i = 0; i < int.Parse(parts[1]); i++) _group.Append(DialogScript.Unescape(parts[2]) + "\r\n");
        }
        else if (IsStep(step))
        {
            await SendAsync(cancellationToken);
            if (step.StartsWith("S: ", StringComparison.Ordinal)) return Compare(await LineAsync(cancellationToken), line => line == text);
            if (step.StartsWith("S~ ", StringComparison.Ordinal)) return Compare(await LineAsync(cancellationToken), line => line.StartsWith(text, StringComparison.Ordinal));
            if (step.StartsWith("S* ", StringComparison.Ordinal))
            {
                string? line;
                do line = await LineAsync(cancellationToken);
                while (line is { Length: > 3 } && line[3] == '-' && line.StartsWith(text, StringComparison.Ordinal));
                return Compare(line, last => last.StartsWith(text + " ", StringComparison.Ordinal));
            }

            if (step == "CLOSED") return await LineAsync(cancellationToken) is { } more ? $"heard `{more}`" : null;
            if (step == "CUT") Leave();
            if (step == "TLS")
            {
                var secure = new SslStream(_stream, leaveInnerStreamOpen: false, static (_, _, _, _) => true);
                await secure.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "mx.example.net" }, cancellationToken);
                _stream = secure;
            }
        }

        return null;
    }

    private static bool IsStep(string line) => line is "CLOSED" or "CUT" or "TLS" or "GAP" || line.Length > 2 && line[0] == 'S' && line[1] is ':' or '~' or '*' && line[2] == ' ';

    private async Task SendAsync(CancellationToken cancellationToken)
    {
        var rest = Encoding.Latin1.GetBytes(_group.ToString()).AsMemory();
        _group.Clear();
        if (together) connection.Hold();
        while (!rest.IsEmpty)
        {
            var size = slicing switch { Slicing.ByByte => 1, Slicing.ByLine => rest.Span.IndexOf((byte)'\n') + 1, _ => rest.Length };
            if (size == 0) size = rest.Length;
            await _stream.WriteAsync(rest[..size], cancellationToken);
            rest = rest[size..];
        }

        if (together) connection.Release();
        _accept?.Invoke();
        _accept = null;
    }

    private async Task<string?> EndAsync(CancellationToken cancellationToken)
    {
        await SendAsync(cancellationToken);
        if (_hasLeft) return null;
        if (_stream is SslStream secure)
        {
            // What the server still says comes before its end of TLS; the connection beneath is left open until then.
            await secure.ShutdownAsync();
        }

        connection.EndInput();
        return await LineAsync(cancellationToken) is { } more ? $"heard `{more}`" : null;
    }

    private void Leave()
    {
        _hasLeft = true;
        _stream.Dispose();
    }

    private async Task<string?> LineAsync(CancellationToken cancellationToken)
    {
        var buffer = new byte[4096];
        while (true)
        {
            var all = _unread.ToString();
            var end = all.IndexOf("\r\n", StringComparison.Ordinal);
            if (end >= 0)
            {
                _unread.Remove(0, end + 2);
                return all[..end];
            }

            int read;
            try
            {
                read = await _stream.ReadAsync(buffer, cancellationToken);
            }
            catch (IOException)
            {
                read = 0;
            }
            catch (OperationCanceledException)
            {
                return "nothing";
            }

            if (read == 0) return all.Length > 0 ? all : null;
            _unread.Append(Encoding.Latin1.GetString(buffer, 0, read));
        }
    }

    private static string? Compare(string? line, Func<string, bool> isWanted) => line is not null && isWanted(line) ? null : $"heard `{line ?? "the end"}`";
}
