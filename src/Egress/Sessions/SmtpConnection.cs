using System.Buffers;
using System.ComponentModel;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Angarium.Egress.Pools;
using Angarium.Egress.Proxies;
using Angarium.Mail;
using Angarium.Mail.Replies;

namespace Angarium.Egress.Sessions;

/// <summary>
/// Bytes to and from one receiver: a gathered write per group of commands, bounded replies, a limit on every step. Used by one session at a time; only
/// <see cref="Check"/> and <see cref="Abort"/> come from elsewhere. Every failure is an <see cref="AttemptException"/>.
/// </summary>
internal sealed class SmtpConnection : IDisposable
{
    /// <summary>Content gathers to this before it is written; a small message goes out in one write.</summary>
    public const int Window = 64 * 1024;

    private const int SlowestPerSecond = 8 * 1024;

    private readonly Socket? socket;
    private readonly ConnectionWatch watch;
    private readonly long number;
    private readonly ReplyReader replies = new();
    private readonly ArrayBufferWriter<byte> output = new(4096);
    private Stream stream;
    private byte[]? input = ArrayPool<byte>.Shared.Rent(8192);
    private int start, end;
    private long stepEnds = long.MaxValue, endsBy = long.MaxValue, contentOctets;
    private Func<bool>? leaseEnded;
    private bool isAtDot;
    private int disposed;
    private AttemptException? aborted;

    public SmtpConnection(Stream stream, Socket? socket, string remote, ConnectionWatch watch)
    {
        this.stream = stream;
        this.socket = socket;
        this.watch = watch;
        Remote = remote;
        number = watch.Add(this);
    }

    /// <summary>`name[address]:port`, for people.</summary>
    public string Remote { get; }

    /// <summary>Pool and own address that it was made from; null = nobody said.</summary>
    public (string Pool, string Source)? From { get; set; }

    /// <summary>Version and trust, for people; null in plaintext.</summary>
    public string? Tls { get; private set; }

    public bool CertificateValidated { get; private set; }

    /// <summary>Of the message that is on its way.</summary>
    public long ContentOctets
    {
        set => Volatile.Write(ref contentOctets, value);
    }

    /// <summary>The final dot is on its way, or its reply: what the receiver has taken must not be cut from its word.</summary>
    public bool IsAtDot
    {
        get => Volatile.Read(ref isAtDot);
        set => Volatile.Write(ref isAtDot, value);
    }

    /// <summary>What the next flush sends.</summary>
    public IBufferWriter<byte> Output => output;

    public int Unflushed => output.WrittenCount;

    /// <summary>The peer has said something that nobody asked for, or closed.</summary>
    public bool HasUnexpectedInput => end > start || (socket is not null && IsReadable(socket));

    public static async Task<SmtpConnection> ConnectAsync(RouteEndPoint target, PoolAddress source, TimeSpan timeout, ConnectionWatch watch, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(timeout, watch.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var socket = source.Proxy is { } proxy ? await SocksClient.ConnectAsync(proxy, target, both.Token) : await ConnectAsync(target, source.Address, timeout, both.Token, cancellationToken);
        return new SmtpConnection(new NetworkStream(socket, ownsSocket: true), socket, target.ToString(), watch);
    }

    private static async Task<Socket> ConnectAsync(RouteEndPoint target, IPAddress? source, TimeSpan timeout, CancellationToken limit, CancellationToken cancellationToken)
    {
        var socket = new Socket(target.Address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            if (source is not null) Bind(socket, source);
            await socket.ConnectAsync(new IPEndPoint(target.Address, target.Port), limit);
            return socket;
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or AttemptException)
        {
            socket.Dispose();
            if (e is AttemptException) throw;
            cancellationToken.ThrowIfCancellationRequested();
            throw e is SocketException failed
                ? new AttemptException(AttemptFault.Unreachable, $"{target}: {Words(failed.SocketErrorCode)}", e)
                : new AttemptException(AttemptFault.Timeout, $"{target}: no connection within {timeout.TotalSeconds:0.#} s", e);
        }
    }

    private static void Bind(Socket socket, IPAddress source)
    {
        try
        {
            socket.Bind(new IPEndPoint(source, 0));
        }
        catch (SocketException e)
        {
            throw new AttemptException(AttemptFault.NoSource, $"no connection from {source}: {e.Message}", e);
        }
    }

    /// <summary>Sends what was gathered. With a guard, the connection ends as soon as it says so, even in mid-write.</summary>
    public async ValueTask FlushAsync(TimeSpan timeout, Func<bool>? leaseEndedNow = null)
    {
        if (output.WrittenCount == 0) return;
        Begin(timeout, leaseEndedNow);
        try
        {
            await stream.WriteAsync(output.WrittenMemory);
        }
        catch (Exception e) when (IsOfTheNetwork(e))
        {
            throw Translate(e);
        }
        finally
        {
            End();
            output.ResetWrittenCount();
        }
    }

    /// <exception cref="AttemptException">None came in time, the peer closed, or what came is no reply.</exception>
    public async ValueTask<Reply> ReadReplyAsync(TimeSpan timeout)
    {
        if (TryTakeReply(out var reply)) return reply;
        Begin(timeout, null);
        try
        {
            while (true)
            {
                var buffer = input ?? throw new ObjectDisposedException(nameof(SmtpConnection));
                start = end = 0;
                // A reply that drips in has one limit for the whole of it: the step's.
                var read = await stream.ReadAsync(buffer);
                if (read == 0) throw aborted ?? new AttemptException(AttemptFault.Cut, $"{Remote} closed the connection");
                end = read;
                if (TryTakeReply(out reply)) return reply;
            }
        }
        catch (Exception e) when (IsOfTheNetwork(e))
        {
            throw Translate(e);
        }
        finally
        {
            End();
        }
    }

    /// <summary>Turns to TLS. Whatever the peer sent in plaintext beyond its reply ends the connection: it could have come from anyone on the way.</summary>
    public async Task StartTlsAsync(string host, bool required, X509Certificate2Collection? authorities, TimeSpan timeout)
    {
        if (end > start) throw new AttemptException(AttemptFault.Nonsense, $"{Remote} sent plaintext after its reply to STARTTLS");
        var errors = SslPolicyErrors.None;
        // What the peer's certificate names as the place of its issuer's is never asked: any address, outside the policy of addresses, and a thread of the pool would wait for it.
        var policy = new X509ChainPolicy { RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true };
        if (authorities is not null)
        {
            policy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            policy.CustomTrustStore.AddRange(authorities);
        }

        var options = new SslClientAuthenticationOptions
        {
            TargetHost = host,
            AllowRenegotiation = false,
            CertificateChainPolicy = policy,
            RemoteCertificateValidationCallback = (_, _, _, found) =>
            {
                errors = found;
                return found == SslPolicyErrors.None || !required;
            },
        };
        var secure = new SslStream(stream);
        stream = secure;
        Begin(timeout, null);
        try
        {
            await secure.AuthenticateAsClientAsync(options);
        }
        catch (Exception e) when (IsOfTheNetwork(e))
        {
            throw aborted ?? new AttemptException(AttemptFault.TlsFailed, errors == SslPolicyErrors.None || !required
                ? $"{Remote}: the TLS handshake failed"
                : $"{Remote}: the certificate is not trusted ({errors})", e);
        }
        finally
        {
            End();
        }

        CertificateValidated = errors == SslPolicyErrors.None;
        Tls = $"{secure.SslProtocol switch { SslProtocols.Tls13 => "TLSv1.3", SslProtocols.Tls12 => "TLSv1.2", var other => other.ToString() }} {(CertificateValidated ? "validated" : "unvalidated")}";
    }

    /// <summary>Others wait for this connection: whatever has not come to its final dot in that time, and a second for each 8 KiB of its content, ends as too slow. The first word counts. Any thread.</summary>
    public void EndWithin(TimeSpan time) =>
        Interlocked.CompareExchange(ref endsBy, watch.Time.GetTimestamp() + (long)(time.TotalSeconds * watch.Time.TimestampFrequency), long.MaxValue);

    /// <summary>Called by the watch.</summary>
    public void Check(long now)
    {
        if (now > Volatile.Read(ref stepEnds)) Abort(new AttemptException(AttemptFault.Timeout, $"{Remote} was too slow"));
        else if (Volatile.Read(ref leaseEnded) is { } ended && ended()) Abort(new AttemptException(AttemptFault.LeaseEnded, "the lease ended"));
        else if (Volatile.Read(ref endsBy) is < long.MaxValue and var by && now - by > Volatile.Read(ref contentOctets) / SlowestPerSecond * watch.Time.TimestampFrequency && !IsAtDot) Abort(new AttemptException(AttemptFault.Timeout, $"{Remote} was too slow for those that waited"));
    }

    /// <summary>Ends whatever is under way, from any thread; the session sees <paramref name="why"/>.</summary>
    public void Abort(AttemptException why)
    {
        if (Interlocked.CompareExchange(ref aborted, why, null) is not null) return;
        // The socket itself: a TLS stream must not be disposed under a pending call.
        if (socket is not null) socket.Dispose();
        else stream.Dispose();
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref disposed, 1) != 0) return;
        watch.Remove(number);
        try
        {
            stream.Dispose();
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or SocketException)
        {
            // The goodbye of TLS to a peer that is gone.
        }

        socket?.Dispose();
        if (Interlocked.Exchange(ref input, null) is { } buffer) ArrayPool<byte>.Shared.Return(buffer);
    }

    private bool TryTakeReply([NotNullWhen(true)] out Reply? reply)
    {
        if (end > start)
        {
            var progress = replies.Read(input.AsSpan(start, end - start), out var consumed);
            start += consumed;
            if (progress == ReplyProgress.Malformed) throw new AttemptException(AttemptFault.Nonsense, $"{Remote}: {replies.Problem}");
            if (progress == ReplyProgress.Complete)
            {
                reply = replies.Reply!;
                return true;
            }
        }

        reply = null;
        return false;
    }

    private void Begin(TimeSpan timeout, Func<bool>? leaseEndedNow)
    {
        Volatile.Write(ref leaseEnded, leaseEndedNow);
        Volatile.Write(ref stepEnds, watch.Time.GetTimestamp() + (long)(timeout.TotalSeconds * watch.Time.TimestampFrequency));
    }

    private void End()
    {
        Volatile.Write(ref stepEnds, long.MaxValue);
        Volatile.Write(ref leaseEnded, null);
    }

    // Streams of TLS throw what their handshakes throw also later, when the peer begins another.
    private static bool IsOfTheNetwork(Exception e) => e is IOException or InvalidOperationException or AuthenticationException or Win32Exception;

    private AttemptException Translate(Exception e) => aborted ?? new AttemptException(AttemptFault.Cut, $"{Remote} cut the connection", e);

    private static bool IsReadable(Socket socket)
    {
        try
        {
            return socket.Poll(0, SelectMode.SelectRead);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return true;
        }
    }

    private static string Words(SocketError error) => error switch
    {
        SocketError.ConnectionRefused => "connection refused",
        SocketError.ConnectionReset => "connection reset",
        SocketError.HostUnreachable => "host unreachable",
        SocketError.NetworkUnreachable => "network unreachable",
        SocketError.TimedOut => "connection timed out",
        SocketError.AddressNotAvailable => "no local address or port is available",
        _ => error.ToString(),
    };
}

/// <summary>One address of one host.</summary>
internal readonly record struct RouteEndPoint(string Host, IPAddress Address, int Port)
{
    public override string ToString() => Host.Trim('[', ']') == Address.ToString() ? new IPEndPoint(Address, Port).ToString() : $"{Host}[{Address}]:{Port}";
}
