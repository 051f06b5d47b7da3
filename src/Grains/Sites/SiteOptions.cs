using Angarium.Contracts.Configuration;

namespace Angarium.Grains.Sites;

/// <summary>Pace towards one site (an egress pool and a sorted set of MX hosts, or a route). A value; taken over on change.</summary>
public sealed record SiteOptions
{
    [Setting("Egress:Site:Connections", "Most connections to one site found by MX, over all workers of a pool (default as KumoMTA).", Reloads = true, Min = 1, Max = 10_000)]
    public int Connections { get; init; } = 10;

    [Setting("Egress:Site:InitialConnections", "Connections with which a site found by MX begins before its answers (a connection, a message, a refusal) raise or lower them by 1/N (default as Postfix).", Reloads = true, Min = 1, Max = 10_000)]
    public int InitialConnections { get; init; } = 5;

    [Setting("Egress:Site:ConnectionsPerMinute", "New connections per minute to one site found by MX, spread evenly, never more than a twelfth of them at once.", Reloads = true, Min = 1, Max = 1_000_000)]
    public int ConnectionsPerMinute { get; init; } = 100;

    [Setting("Egress:Site:MessagesPerSecond", "Messages per second to one site found by MX, shared evenly over its connections.", Reloads = true, Min = 1, Max = 1_000_000)]
    public int MessagesPerSecond { get; init; } = 100;

    [Setting("Egress:Site:MessagesPerConnection", "Messages after which a connection to a site found by MX is replaced.", Reloads = true, Min = 1, Max = 1_000_000)]
    public int MessagesPerConnection { get; init; } = 100;

    [Setting("Egress:Site:RouteConnections", "Most connections to a next hop named by a route that sets no limit of its own; no other limit holds there.", Reloads = true, Min = 1, Max = 10_000)]
    public int RouteConnections { get; init; } = 20;

    [Setting("Egress:Site:Idle", "How long a connection without work is kept for the next message.", Reloads = true, Min = 0, Max = 300)]
    public TimeSpan Idle { get; init; } = TimeSpan.FromSeconds(60);

    [Setting("Egress:Site:Suspension", "First pause after a site's connections have failed; it doubles each time. Never longer than the first delay of Retry:Schedule.", Reloads = true, Min = 0.1, Max = 86_400)]
    public TimeSpan Suspension { get; init; } = TimeSpan.FromMinutes(1);

    [Setting("Egress:Site:MaxSuspension", "Longest pause between two probes of a suspended site. Never longer than the longest delay of Retry:Schedule.", Reloads = true, Min = 0.1, Max = 86_400)]
    public TimeSpan MaxSuspension { get; init; } = TimeSpan.FromHours(1);
}
