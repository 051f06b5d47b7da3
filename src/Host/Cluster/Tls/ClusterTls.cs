using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Angarium.Ingress.Tls;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Angarium.Host.Cluster.Tls;

/// <summary>
/// TLS 1.3 (RFC 8446) around every connection between processes, with a certificate on both sides; beneath Orleans, which hears nothing of a peer before it has proved to be a member. Each handshake is bounded in time, and so
/// is the number of those under way, apart for those that it accepts and opens: who connects here cannot keep it from the others. Any thread; a connection keeps the identity that it was opened with. What was said of refusals is all it holds.
/// </summary>
internal sealed partial class ClusterTls(ClusterCertificate certificate, TimeProvider time, ILogger<ClusterTls> log)
{
    public static readonly TimeSpan HandshakeLimit = TimeSpan.FromSeconds(10);

    /// <summary>Peers that come again and again are told of once in this time.</summary>
    private static readonly TimeSpan SaidAgainAfter = TimeSpan.FromMinutes(1);

    private const int MostHandshakes = 1_000, MostSaid = 1_000;

    /// <summary>
    /// What the accepting side says when it has taken the other's certificate: in TLS 1.3 the handshake is over for the opening side before that, and it would learn of a refusal from a connection that breaks later.
    /// </summary>
    private static readonly byte[] Welcome = [0x06];

    // Each flush of Orleans goes out in as few records as may be (RFC 8446 §5.1: 2^14 octets each).
    private static readonly System.IO.Pipelines.StreamPipeWriterOptions Writing = new(minimumBufferSize: 16 << 10, leaveOpen: true);

    private readonly ConcurrentDictionary<(IPAddress, bool), long> _said = new();
    private readonly int[] _handshakes = new int[2];

    public async Task AcceptAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var (stream, refusal) = await TrySecureAsync(connection, accepts: true);
        if (stream is not null) await RunAsync(connection, stream, next);
        // Nothing was begun with it: Orleans disposes of the connection.
        else Say(connection, accepts: true, refusal);
    }

    /// <exception cref="AuthenticationException">It is no member, or does not take us for one.</exception>
    public async Task ConnectAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var (stream, refusal) = await TrySecureAsync(connection, accepts: false);
        if (stream is null)
        {
            Say(connection, accepts: false, refusal);
            throw new AuthenticationException($"TLS with {connection.RemoteEndPoint}: {refusal}");
        }

        await RunAsync(connection, stream, next);
    }

    private static async Task RunAsync(ConnectionContext connection, SslStream stream, ConnectionDelegate next)
    {
        var beneath = connection.Transport;
        await using var secured = new TlsPipe(stream, Writing);
        connection.Transport = secured;
        try
        {
            await next(connection);
        }
        finally
        {
            connection.Transport = beneath;
        }
    }

    /// <summary>Null = refused, for a reason; an empty one is not worth a line: somebody looked whether the port is open.</summary>
    private async Task<(SslStream? Stream, string Refusal)> TrySecureAsync(ConnectionContext connection, bool accepts)
    {
        var stream = new SslStream(new DuplexPipeStream(connection.Transport), leaveInnerStreamOpen: true);
        var objection = "";
        var isShaken = false;
        using var limit = new CancellationTokenSource(HandshakeLimit, time);
        try
        {
            if (Interlocked.Increment(ref _handshakes[accepts ? 1 : 0]) > MostHandshakes) return await RefuseAsync("too many handshakes are under way");
            var identity = certificate.Current;
            if (accepts)
            {
                await stream.AuthenticateAsServerAsync(Accepting(identity, why => objection = why), limit.Token);
                await stream.WriteAsync(Welcome, limit.Token);
                return (stream, "");
            }

            await stream.AuthenticateAsClientAsync(Opening(identity, why => objection = why), limit.Token);
            isShaken = true;
            var said = new byte[1];
            if (await stream.ReadAsync(said, limit.Token) == 1 && said[0] == Welcome[0]) return (stream, "");
            return await RefuseAsync(Unwelcome());
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            return await RefuseAsync($"no handshake within {HandshakeLimit.TotalSeconds:0} s");
        }
        catch (Exception e) when (e is AuthenticationException or IOException or InvalidOperationException or ConnectionAbortedException or OperationCanceledException)
        {
            return await RefuseAsync(
                objection.Length > 0 ? objection
                : isShaken ? Unwelcome()
                : e is AuthenticationException ? $"it does not speak TLS 1.3 as members do ({ClusterIdentity.OneLine(e.InnerException ?? e)})"
                : accepts ? "" : "it ended the handshake; are Cluster:Tls settings in force there?");
        }
        finally
        {
            Interlocked.Decrement(ref _handshakes[accepts ? 1 : 0]);
        }

        string Unwelcome() => $"it does not take this process's certificate ({certificate.Current.Certificate.Subject}, valid until {certificate.Current.Certificate.NotAfter.ToUniversalTime():u}); its log says why";

        async Task<(SslStream?, string)> RefuseAsync(string why)
        {
            await stream.DisposeAsync();
            return (null, why);
        }
    }

    private static SslServerAuthenticationOptions Accepting(ClusterIdentity identity, Action<string> refuse) => new()
    {
        ServerCertificateContext = identity.Own,
        EnabledSslProtocols = SslProtocols.Tls13,
        ClientCertificateRequired = true,
        AllowRenegotiation = false,
        // A session that is taken up again would go by a certificate that was checked at another time.
        AllowTlsResume = false,
        CertificateChainPolicy = identity.Policy(ClusterIdentity.ClientAuth),
        RemoteCertificateValidationCallback = (_, shown, chain, errors) => IsMember(shown, chain, errors, ClusterIdentity.ClientAuth, refuse),
    };

    private static SslClientAuthenticationOptions Opening(ClusterIdentity identity, Action<string> refuse) => new()
    {
        // Named because it must be; nobody looks at it.
        TargetHost = "cluster.angarium",
        ClientCertificateContext = identity.Own,
        EnabledSslProtocols = SslProtocols.Tls13,
        AllowRenegotiation = false,
        AllowTlsResume = false,
        CertificateChainPolicy = identity.Policy(ClusterIdentity.ServerAuth),
        RemoteCertificateValidationCallback = (_, shown, chain, errors) => IsMember(shown, chain, errors, ClusterIdentity.ServerAuth, refuse),
    };

    private static bool IsMember(X509Certificate? shown, X509Chain? chain, SslPolicyErrors errors, string usage, Action<string> refuse)
    {
        if (ClusterIdentity.Objection(shown, chain, errors, usage) is not { } why) return true;
        refuse(why);
        return false;
    }

    private void Say(ConnectionContext connection, bool accepts, string why)
    {
        if (why.Length == 0)
        {
            Looked(log, connection.RemoteEndPoint);
            return;
        }

        ClusterTlsInstruments.Refusals.WithLabels(accepts ? "accepted" : "opened").Inc();
        var key = ((connection.RemoteEndPoint as IPEndPoint)?.Address ?? IPAddress.None, accepts);
        if (_said.TryGetValue(key, out var said) && time.GetElapsedTime(said) < SaidAgainAfter) return;
        if (_said.Count >= MostSaid) _said.Clear();
        _said[key] = time.GetTimestamp();
        if (accepts) Refused(log, connection.RemoteEndPoint, why);
        else NotOpened(log, connection.RemoteEndPoint, why);
    }

    [LoggerMessage(5220, LogLevel.Warning, "A connection from {Peer} to this silo was refused: {Reason} (said once a minute for an address)")]
    private static partial void Refused(ILogger logger, EndPoint? peer, string reason);

    [LoggerMessage(5221, LogLevel.Warning, "No connection to the silo {Peer}: {Reason} (said once a minute for an address)")]
    private static partial void NotOpened(ILogger logger, EndPoint? peer, string reason);

    [LoggerMessage(5222, LogLevel.Debug, "{Peer} connected and left before its TLS handshake was done")]
    private static partial void Looked(ILogger logger, EndPoint? peer);
}
