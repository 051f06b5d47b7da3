using Angarium.Grains.Membership;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Angarium.Host.Cluster;

/// <summary>
/// Keeps what this silo knows of the membership document young. It reads when nobody else in this silo has for 3 s: Orleans' own reads, every 5 s, leave too little of the 10 s for which a
/// standing lasts when one of them fails or is slow. And it reads when Orleans heard of a newer version from another silo, which tells no store: only what was read can be put back, should
/// the document be lost together with the silo that wrote it. And it declares dead whoever answers probes and has lost the store (<see cref="StillRows"/>). Two loops; nothing survives a crash.
/// </summary>
internal sealed partial class StandingKeeper : BackgroundService
{
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_quiet = TimeSpan.FromSeconds(3);

    private readonly MembershipStore _store;
    private readonly IClusterMembershipService _membership;
    private readonly TimeProvider _time;
    private readonly ILogger<StandingKeeper> _log;
    private readonly Lock _gate = new();
    private readonly StillRows _rows;
    private readonly HashSet<string> _declaring = [];
    private readonly string _own;
    private long _lastSeen;
    private bool _failing;

    public StandingKeeper(
        MembershipStore store, ClusterStanding standing, IStanding used, StillRows rows, ILocalSiloDetails silo, IClusterMembershipService membership, TimeProvider time,
        ILogger<StandingKeeper> log)
    {
        if (used != standing) throw new InvalidOperationException("The silo's grains would ask another standing than the cluster's: register the cluster after the queues.");
        (_store, _membership, _time, _log) = (store, membership, time, log);
        _lastSeen = time.GetTimestamp();
        (_rows, _own) = (rows, silo.SiloAddress.ToParsableString());
        standing.Take(silo.SiloAddress, stop => store.ReadAsync().WaitAsync(stop));
        store.Seen += standing.See;
        store.Seen += (_, began) => Interlocked.Exchange(ref _lastSeen, began.Monotonic);
        store.Seen += (document, _) => LookForStill(document);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(LookAsync(stoppingToken), FollowAsync(stoppingToken));

    private async Task LookAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(s_look, _time);
        while (await timer.WaitForNextTickAsync(stoppingToken)) await LookAsync();
    }

    private async Task FollowAsync(CancellationToken stoppingToken)
    {
        await foreach (var snapshot in _membership.MembershipUpdates.WithCancellation(stoppingToken))
            if (snapshot.Version.Value > _store.Version) await ReadAsync();
    }

    /// <summary>Reads if nobody has for a while.</summary>
    public Task LookAsync() => _time.GetElapsedTime(Interlocked.Read(ref _lastSeen)) < s_quiet ? Task.CompletedTask : ReadAsync();

    private void LookForStill(MembershipDocument document)
    {
        List<string> still;
        // To declare one dead reads the document, and comes here again.
        lock (_gate) still = [.. _rows.See(document, _own).Where(_declaring.Add)];
        foreach (var silo in still) DeclareDeadAsync(silo).Ignore();
    }

    private async Task DeclareDeadAsync(string silo)
    {
        HasLostTheStore(_log, silo, _rows.Longest);
        try
        {
            await _membership.TryKill(SiloAddress.FromParsableString(silo));
        }
        catch (Exception failure)
        {
            // It is found again with the next sight of the document.
            CannotDeclare(_log, silo, failure.Message);
        }

        lock (_gate) _declaring.Remove(silo);
    }

    private async Task ReadAsync()
    {
        try
        {
            await _store.ReadAsync();
            _failing = false;
        }
        catch (Exception failure)
        {
            if (!_failing) CannotRead(_log, failure.Message);
            _failing = true;
        }
    }

    [LoggerMessage(5201, LogLevel.Warning, "the membership document cannot be read: {Reason}; after 10 s this silo grants nothing")]
    private static partial void CannotRead(ILogger logger, string reason);

    [LoggerMessage(5205, LogLevel.Warning, "silo {Silo} answers and has not written its row for {Span}: it has lost the store, and is declared dead so that others take what it owns")]
    private static partial void HasLostTheStore(ILogger logger, string silo, TimeSpan span);

    [LoggerMessage(5206, LogLevel.Warning, "silo {Silo} cannot be declared dead now: {Reason}")]
    private static partial void CannotDeclare(ILogger logger, string silo, string reason);
}
