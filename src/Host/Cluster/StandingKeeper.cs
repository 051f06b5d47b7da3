using Angarium.Grains.Membership;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Angarium.Host.Cluster;

/// <summary>
/// Reads the membership document when nobody else in this silo has for 3 s: Orleans' own reads, every 5 s, leave too little of the 10 s for which a standing lasts when one of them fails or
/// is slow. One loop; nothing survives a crash.
/// </summary>
internal sealed partial class StandingKeeper : BackgroundService
{
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_quiet = TimeSpan.FromSeconds(3);

    private readonly MembershipStore _store;
    private readonly TimeProvider _time;
    private readonly ILogger<StandingKeeper> _log;
    private long _lastSeen;
    private bool _failing;

    public StandingKeeper(MembershipStore store, ClusterStanding standing, IStanding used, ILocalSiloDetails silo, TimeProvider time, ILogger<StandingKeeper> log)
    {
        if (used != standing) throw new InvalidOperationException("The silo's grains would ask another standing than the cluster's: register the cluster after the queues.");
        (_store, _time, _log) = (store, time, log);
        _lastSeen = time.GetTimestamp();
        standing.Take(silo.SiloAddress);
        store.Seen += standing.See;
        store.Seen += (_, began) => Interlocked.Exchange(ref _lastSeen, began.Monotonic);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(s_look, _time);
        while (await timer.WaitForNextTickAsync(stoppingToken)) await LookAsync();
    }

    /// <summary>Reads if nobody has for a while.</summary>
    public async Task LookAsync()
    {
        if (_time.GetElapsedTime(Interlocked.Read(ref _lastSeen)) < s_quiet) return;
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
}
