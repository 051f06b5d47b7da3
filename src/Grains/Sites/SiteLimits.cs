using Angarium.Mail;

namespace Angarium.Grains.Sites;

/// <summary>The limits in force for one site, made from settings and route. A value. 0 = no such limit.</summary>
internal sealed record SiteLimits
{
    public required int Connections { get; init; }

    public required int Initial { get; init; }

    public int ConnectionsPerMinute { get; init; }

    public int MessagesPerConnection { get; init; }

    /// <summary>Least time between two transactions of one connection, so that all of them together keep the message rate.</summary>
    public TimeSpan Spacing { get; init; }

    public required TimeSpan Idle { get; init; }

    public required TimeSpan FirstSuspension { get; init; }

    public required TimeSpan MaxSuspension { get; init; }

    public bool IsRoute { get; init; }

    public static SiteLimits From(SiteOptions options, IReadOnlyList<TimeSpan> schedule, bool isRoute, int? routeConnections)
    {
        var first = Least(options.Suspension, schedule.Count > 0 ? schedule[0] : options.Suspension);
        var most = Least(options.MaxSuspension, schedule.Count > 0 ? schedule.Max() : options.MaxSuspension);
        var common = new SiteLimits
        {
            Connections = options.Connections,
            Initial = Math.Min(options.InitialConnections, options.Connections),
            Idle = options.Idle,
            FirstSuspension = first,
            MaxSuspension = most > first ? most : first,
        };
        if (isRoute)
        {
            var connections = Math.Clamp(routeConnections ?? options.RouteConnections, 1, 10_000);
            return common with { IsRoute = true, Connections = connections, Initial = connections };
        }

        return common with
        {
            ConnectionsPerMinute = options.ConnectionsPerMinute,
            MessagesPerConnection = options.MessagesPerConnection,
            Spacing = TimeSpan.FromSeconds((double)options.Connections / options.MessagesPerSecond),
        };
    }

    private static TimeSpan Least(TimeSpan a, TimeSpan b) => a < b ? a : b;
}

/// <summary>A smooth rate: starts empty (design rule 21) and never holds more than its burst. On its owner's turn; lost in a crash.</summary>
internal sealed class TokenBucket
{
    private double _tokens;
    private StoreTime _at;

    /// <summary>Takes a token, or says when there will be one.</summary>
    public bool TryTake(double perSecond, double burst, StoreTime now, out StoreTime next)
    {
        next = now;
        // A clock that went back adds nothing; one that leapt adds at most a burst.
        if (_at == default) _at = now;
        var elapsed = (now - _at).TotalSeconds;
        _at = now;
        _tokens = Math.Clamp(_tokens + Math.Max(0, elapsed) * perSecond, 0, burst);
        if (_tokens >= 1)
        {
            _tokens--;
            return true;
        }

        next = now + TimeSpan.FromMilliseconds(Math.Ceiling((1 - _tokens) / perSecond * 1000));
        return false;
    }
}
