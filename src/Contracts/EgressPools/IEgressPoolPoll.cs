using Angarium.Contracts.Routing;
using Angarium.Mail;

namespace Angarium.Contracts.EgressPools;

/// <summary>
/// What an egress worker asks of its pool. Key: the pool's name. The long poll is wake-up, heartbeat and back-pressure in one. Role: egress.
/// </summary>
[Alias("angarium.IEgressPoolPoll")]
public interface IEgressPoolPoll : IGrainWithStringKey
{
    /// <summary>
    /// Takes the worker's reports and declarations at once; returns when there are orders, when a newer poll of the same worker arrived, or after 5 s with none;
    /// a worker's first at once, so that it knows that it is heard.
    /// </summary>
    [Alias("Poll")]
    Task<PollAnswer> Poll(PollRequest request);
}

/// <summary>What a worker tells its pool every few seconds: that it lives, what it holds, what happened, how much more it could carry. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.PollRequest")]
public sealed record PollRequest
{
    /// <summary>Random, drawn at each start of a worker.</summary>
    [Id(0)] public required string Worker { get; init; }

    /// <summary>Rising from 1. A repeat changes nothing and returns at once; an older one, which another overtook, is refused, so that its reports come again.</summary>
    [Id(1)] public long Number { get; init; }

    [Id(2)] public StoreTime SentAt { get; init; }

    /// <summary>Sessions that the worker could still open. 0 = it drains or is full.</summary>
    [Id(3)] public int FreeSessions { get; init; }

    /// <summary>Every permit that the worker holds, in every poll (design rule 21).</summary>
    [Id(4)] public HeldPermit[] Held { get; init; } = [];

    /// <summary>What happened to sessions since the last acknowledged poll.</summary>
    [Id(5)] public SessionReport[] Reports { get; init; } = [];

    /// <summary>The worker's last word: it polls no more. Answered at once, without orders.</summary>
    [Id(6)] public bool Leaving { get; init; }

    /// <summary>The greatest <see cref="PollAnswer.Claim"/> that the worker has heard: it follows no activation before that one.</summary>
    [Id(7)] public long Claim { get; init; }
}

/// <summary>A connection that a worker has or is making, and on whose behalf. A value (design rule 21).</summary>
[GenerateSerializer, Immutable, Alias("angarium.HeldPermit")]
public readonly record struct HeldPermit([property: Id(0)] ulong Permit, [property: Id(1)] string Site, [property: Id(2)] string Domain);

/// <summary>What happened to a session. Numbers are a wire contract.</summary>
public enum SessionEvent : byte
{
    /// <summary>Connected and greeted: the site counts a success. Told again every ten seconds while messages go through: they count as one more.</summary>
    Connected = 1,

    /// <summary>No host of the site could be connected, greeted or trusted: it suspends the site and touches no message. The permit is free again.</summary>
    ConnectFailed = 2,

    /// <summary>The domain has nothing due: what next?</summary>
    Dry = 3,

    /// <summary>The session has ended (used up, told to close, peer closed between transactions). The permit is free again.</summary>
    Closed = 4,

    /// <summary>The peer asked for less in mid-session (421, cut in a transaction): feedback to the site; the permit is free again.</summary>
    Lost = 5,

    /// <summary>The domain's mail goes to another site than the permit's, as the worker resolves it (<see cref="SessionReport.Route"/>): no connection was made for it, for none may be under this permit. It is free again.</summary>
    Moved = 6,
}

/// <summary>An event of one session for its site. A value; told again with every poll until one is accepted.</summary>
[GenerateSerializer, Immutable, Alias("angarium.SessionReport")]
public sealed record SessionReport
{
    [Id(0)] public ulong Permit { get; init; }

    [Id(1)] public required string Site { get; init; }

    [Id(2)] public required string Domain { get; init; }

    [Id(3)] public SessionEvent Event { get; init; }

    /// <summary>ConnectFailed and Lost: why, in words or the peer's.</summary>
    [Id(4)] public Reply? Reply { get; init; }

    [Id(5)] public string? Remote { get; init; }

    /// <summary>Messages that the peer answered on this session since the last report, whatever it said.</summary>
    [Id(6)] public int Messages { get; init; }

    /// <summary>The reply is in our own words.</summary>
    [Id(7)] public bool Own { get; init; }

    /// <summary>Moved: where the domain's mail goes.</summary>
    [Id(8)] public SiteRoute? Route { get; init; }

    /// <summary>Messages that the peer answered on this session in all: what was reported before may have been told to an activation of the site that is no more.</summary>
    [Id(9)] public int Answered { get; init; }
}

/// <summary>What a worker is told to do with a permit. Numbers are a wire contract.</summary>
public enum OrderKind : byte
{
    /// <summary>Connect to the site and exchange with the domain, under this permit.</summary>
    Open = 1,

    /// <summary>Go on with this domain: a session that reported Dry at once, any other once its present batch is done, without reporting Dry (others wait for their turn).</summary>
    Serve = 2,

    /// <summary>Close between transactions and report Closed.</summary>
    Close = 3,
}

/// <summary>What a site has a worker do with one connection. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.SessionOrder")]
public sealed record SessionOrder
{
    [Id(0)] public OrderKind Kind { get; init; }

    [Id(1)] public ulong Permit { get; init; }

    [Id(2)] public required string Site { get; init; }

    [Id(3)] public required string Domain { get; init; }

    /// <summary>Messages after which the session ends (design: 100 for destinations found by MX; 0 = no limit).</summary>
    [Id(4)] public int MaxMessages { get; init; }

    /// <summary>How long a dry session may wait for a Serve before it closes by itself.</summary>
    [Id(5)] public TimeSpan Idle { get; init; }

    /// <summary>Least time between the starts of two transactions of the session: the site's message rate, shared over its connections (0 = none).</summary>
    [Id(6)] public TimeSpan Spacing { get; init; }
}

/// <summary>The pool's answer to a poll: what the worker shall do. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.PollAnswer")]
public sealed record PollAnswer
{
    /// <summary>False: the poll was refused (clock, starting up): the reports stay with the worker, which polls again in a second.</summary>
    [Id(0)] public bool Accepted { get; init; }

    [Id(1)] public SessionOrder[] Orders { get; init; } = [];

    /// <summary>The number of the pool's activation: rises with each that follows another.</summary>
    [Id(2)] public long Claim { get; init; }

    /// <summary>Not accepted, because a later poll of the worker came first: what it reported is to come again, at once.</summary>
    [Id(3)] public bool Overtaken { get; init; }

    /// <summary>Addresses, and names to greet with, that operators suspended: nothing is sent from them. Null = not said.</summary>
    [Id(4)] public string[]? SuspendedSources { get; init; }
}
