using System.IO.Pipelines;
using System.Net.Security;
using System.Security.Authentication;

namespace Angarium.Ingress.Tls;

/// <summary>The two pipes of a connection inside TLS. Owned by whoever made it; disposing it ends the TLS stream and leaves the connection beneath to its owner.</summary>
public sealed class TlsPipe : IDuplexPipe, IAsyncDisposable
{
    // Idle connections wait with no buffer at all; a busy one reads a whole TLS record (RFC 8446 §5.1) at a time.
    private static readonly StreamPipeReaderOptions Reading = new(bufferSize: 16 << 10, minimumReadSize: 4 << 10, leaveOpen: true, useZeroByteReads: true);
    private static readonly StreamPipeWriterOptions Writing = new(leaveOpen: true);

    private readonly SslStream _stream;

    /// <param name="stream">After its handshake.</param>
    /// <param name="writing">How octets gather until they are flushed; null = as suits replies.</param>
    public TlsPipe(SslStream stream, StreamPipeWriterOptions? writing = null)
    {
        _stream = stream;
        Input = PipeReader.Create(stream, Reading);
        Output = PipeWriter.Create(stream, writing ?? Writing);
        Protocol = stream.SslProtocol switch { SslProtocols.Tls13 => "TLSv1.3", SslProtocols.Tls12 => "TLSv1.2", var other => other.ToString() };
        Cipher = stream.NegotiatedCipherSuite.ToString();
    }

    public PipeReader Input { get; }

    public PipeWriter Output { get; }

    public string Protocol { get; }

    public string Cipher { get; }

    /// <summary>The server's side of the handshake; null = it failed, and the connection is of no more use.</summary>
    public static async Task<TlsPipe?> AcceptAsync(IDuplexPipe beneath, SslServerAuthenticationOptions options, CancellationToken cancellationToken)
    {
        var stream = new SslStream(new DuplexPipeStream(beneath), leaveInnerStreamOpen: true);
        try
        {
            await stream.AuthenticateAsServerAsync(options, cancellationToken);
            return new TlsPipe(stream);
        }
        catch (Exception e) when (e is AuthenticationException or IOException or OperationCanceledException or InvalidOperationException)
        {
            await stream.DisposeAsync();
            return null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Input.CompleteAsync();
        await Output.CompleteAsync();
        await _stream.DisposeAsync();
    }
}
