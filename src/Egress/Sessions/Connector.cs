using System.Net;
using Angarium.Contracts.Configuration;
using Angarium.Contracts.EgressPools;
using Angarium.Egress.Pools;
using Angarium.Egress.Routing;
using Angarium.Mail;
using Microsoft.Extensions.Logging;

namespace Angarium.Egress.Sessions;

/// <summary>An open session, or why there is none: 5yz = the domain's mail has nowhere to go, else the connection failed and no message is touched.</summary>
/// <param name="Source">Where the session comes from.</param>
internal sealed record ConnectResult(SmtpClientSession? Session, Reply? Trouble, string? Remote, bool Own, PoolAddress? Source = null)
{
    /// <summary>Nobody was tried, for what reaches them is suspended or cannot be used on this machine just now.</summary>
    public bool WaitsForSource { get; init; }
}

/// <summary>
/// Tries a route's hosts and their addresses in order until one greets us properly (RFC 5321 §5.1). Those that lately could not be connected come last (§4.5.4.1: a list of hosts that cannot be
/// reached), so that a dead first host does not cost each session its time-out. Any thread; that list alone is held, and lost in a crash.
/// </summary>
/// <param name="pool">Where connections come from; null = of the pool `default`.</param>
internal sealed partial class Connector(RouteResolver routes, ISettings<EgressOptions> settings, ConnectionWatch watch, ILogger<Connector> logger, PoolSources? pool = null)
{
    /// <summary>How a target is reached: over TCP, but where a simulation has its own peers.</summary>
    internal Func<RouteEndPoint, PoolAddress, TimeSpan, ConnectionWatch, CancellationToken, Task<SmtpConnection>> Dial { get; init; } = SmtpConnection.ConnectAsync;

    /// <summary>Connections tried for one session: beyond these the site rests.</summary>
    private const int MostTries = 10;

    private readonly UnreachableHosts unreachable = new(watch.Time);
    private readonly PoolSources sources = pool ?? PoolSources.Of(PoolName.Default, settings.Current, watch.Time, logger);

    /// <summary>There is an address to connect from.</summary>
    public bool IsUsable => sources.IsUsable;

    /// <summary>The same, and no operator suspended it.</summary>
    public bool MaySend => sources.MaySend;

    /// <inheritdoc cref="PoolSources.Suspend"/>
    public bool Suspend(string[] names) => sources.Suspend(names);

    public bool IsSuspended(PoolAddress source) => sources.IsSuspended(source);

    public async Task<ConnectResult> ConnectAsync(MailRoute route, CancellationToken cancellationToken)
    {
        var options = settings.Current;
        var tries = 0;
        Reply? permanent = null, temporary = null;
        string? remote = null;
        var (own, waits) = (true, false);
        var dead = new List<RouteEndPoint>();
        foreach (var host in route.Hosts)
        {
            var found = await routes.AddressesAsync(route, host, cancellationToken);
            if (found.Trouble is { } none)
            {
                if (none.IsPermanent) permanent ??= none;
                else (temporary, remote, own) = (none, null, true);
            }

            foreach (var address in found.Addresses)
            {
                var target = new RouteEndPoint(host.Name, address, host.Port);
                if (unreachable.Contains(target))
                {
                    dead.Add(target);
                    continue;
                }

                if (await TryTargetAsync(target) is { } result) return result;
            }
        }

        foreach (var target in dead)
            if (await TryTargetAsync(target) is { } result) return result;

        // A host that may answer later outweighs those that never will. Whatever it said, it was no answer to a message.
        return new ConnectResult(null, temporary is null ? permanent ?? new Reply(451, new(4, 4, 1), "no host to connect to") : AsTemporary(temporary), remote, own) { WaitsForSource = waits && tries == 0 };

        async Task<ConnectResult?> TryTargetAsync(RouteEndPoint target)
        {
            PoolAddress? source;
            SmtpClientSession? session;
            Failure? failure;
            do
            {
                if (tries >= MostTries) return null;
                if (!sources.TryChoose(target.Address.AddressFamily, out source))
                {
                    waits |= sources.HasOf(target.Address.AddressFamily);
                    temporary ??= new Reply(451, new(4, 4, 1), $"{sources.Setting} has nothing to reach {target.Address} from that can be used");
                    return null;
                }

                (session, failure) = await TryAsync(target, source, route.Hop, options, withoutTls: false, cancellationToken);
                // Nothing was tried: there may be another that can be sent from.
                if (failure is { IsOurs: true }) sources.Lose(source, failure.Reason);
                else tries++;
            }
            while (failure is { IsOurs: true });

            // RFC 7435: TLS that was only hoped for must not cost the delivery. Once more without, on a new connection.
            if (failure is { Fault: AttemptFault.TlsFailed } && (route.Hop is null || route.Hop is { Tls: TlsPolicy.May, ImplicitTls: false }))
            {
                (session, failure) = await TryAsync(target, source, route.Hop, options, withoutTls: true, cancellationToken);
                if (failure is { IsOurs: true }) sources.Lose(source, failure.Reason);
            }

            if (session is not null) return new ConnectResult(session, null, session.Connection.Remote, false, source);
            temporary = failure!.Verdict.OfLastHost().Reply;
            (remote, own) = (target.ToString(), failure.Verdict.Own || temporary.IsPermanent);
            return null;
        }
    }

    // A 5yz greeting is about this host now, not about any message.
    private static Reply AsTemporary(Reply reply) => reply.IsPermanent ? new Reply(451, new(4, 4, 1), $"the host refused: {reply}") : reply;

    private sealed record Failure(AttemptFault Fault, DeliveryVerdict Verdict, string Reason)
    {
        /// <summary>No host of the destination was tried.</summary>
        public bool IsOurs => Fault is AttemptFault.NoSource or AttemptFault.NoProxy;
    }

    private async Task<(SmtpClientSession? Session, Failure? Failure)> TryAsync(
        RouteEndPoint target, PoolAddress source, NextHop? hop, EgressOptions options, bool withoutTls, CancellationToken cancellationToken)
    {
        var stage = AttemptStage.Connect;
        SmtpClientSession? session = null;
        try
        {
            var connection = await Dial(target, source, options.ConnectTimeout, watch, cancellationToken);
            connection.From = (sources.Pool, source.Label);
            unreachable.Remove(target);
            session = new SmtpClientSession(connection, source.Name is { } name ? options with { Hostname = name } : options, watch.Time);
            await using var stop = cancellationToken.UnsafeRegister(
                static state => ((SmtpConnection)state!).Abort(new AttemptException(AttemptFault.Stopping, "shutting down")), connection);
            await session.OpenAsync(target.Host.Trim('[', ']'), hop, withoutTls, reached => stage = reached);
            Count("opened", source);
            EgressInstruments.TlsConnections.WithLabels(connection.Tls is null ? "none" : connection.CertificateValidated ? "validated" : "unvalidated").Inc();
            Opened(connection.Remote, connection.Tls);
            return (session, null);
        }
        catch (AttemptException e)
        {
            session?.Dispose();
            cancellationToken.ThrowIfCancellationRequested();
            if (stage == AttemptStage.Connect && e.Fault is not (AttemptFault.NoSource or AttemptFault.NoProxy)) unreachable.Add(target);
            Count(e.Reply is not null ? "refused" : e.Fault switch
            {
                AttemptFault.Unreachable => "unreachable",
                AttemptFault.Timeout => "timeout",
                AttemptFault.TlsFailed => "tls",
                AttemptFault.NoSource => "unreachable",
                AttemptFault.NoProxy => "proxy",
                _ => "broken",
            }, source);
            NotOpened(target.ToString(), stage, e.Message);
            return (null, new Failure(e.Fault, e.At(stage), e.Message));
        }
        catch
        {
            session?.Dispose();
            throw;
        }
    }

    private void Count(string result, PoolAddress source)
    {
        EgressInstruments.Connections.WithLabels(result).Inc();
        EgressInstruments.SourceConnections.WithLabels(sources.Pool, source.Label, result).Inc();
    }

    [LoggerMessage(4001, LogLevel.Debug, "Connected: remote {Remote}, TLS {Tls}")]
    private partial void Opened(string remote, string? tls);

    [LoggerMessage(4002, LogLevel.Information, "Not connected: remote {Remote}, stage {Stage}: {Reason}")]
    private partial void NotOpened(string remote, AttemptStage stage, string reason);
}
