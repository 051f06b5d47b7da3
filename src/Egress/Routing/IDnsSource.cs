using System.Net;

namespace Angarium.Egress.Routing;

/// <summary>One question to DNS, without a cache. Any thread. Never throws for what a server or its data says, only when cancelled.</summary>
internal interface IDnsSource
{
    Task<DnsAnswer> QueryAsync(string name, DnsKind kind, CancellationToken cancellationToken);

    /// <summary>Addresses as the machine knows them (hosts file, search list): for the names that an operator gave a route.</summary>
    Task<IReadOnlyList<IPAddress>> SystemAddressesAsync(string name, CancellationToken cancellationToken);
}

/// <summary>The records that are asked for: those of routing, and what tenants publish.</summary>
internal enum DnsKind : byte { Mx, A, Aaaa, Txt, Cname }

/// <summary>What came of a question to DNS.</summary>
internal enum DnsStatus : byte
{
    /// <summary>There may be no records: then the name exists without data of the kind asked.</summary>
    Ok,

    /// <summary>NXDOMAIN, RFC 8020.</summary>
    NoSuchName,

    /// <summary>SERVFAIL, a timeout, an answer that makes no sense: nothing is known.</summary>
    Trouble,
}

/// <summary>An answer as far as routing needs it. Immutable.</summary>
internal sealed record DnsAnswer
{
    /// <summary>Records beyond these are ignored: no domain needs more hosts.</summary>
    public const int MaxRecords = 32;

    public DnsStatus Status { get; init; }

    /// <summary>Preference and host of each MX; host is empty for the root (RFC 7505), null when it is no host name.</summary>
    public IReadOnlyList<(int Preference, string? Host)> Mx { get; init; } = [];

    public IReadOnlyList<IPAddress> Addresses { get; init; } = [];

    /// <summary>Each TXT record with its strings joined, as far as they are ASCII.</summary>
    public IReadOnlyList<string> Texts { get; init; } = [];

    /// <summary>An alias that the server did not follow.</summary>
    public string? Alias { get; init; }

    public TimeSpan TimeToLive { get; init; }

    /// <summary>What is wrong, for people; short and printable.</summary>
    public string? Detail { get; init; }

    public static DnsAnswer Trouble(string detail) => new() { Status = DnsStatus.Trouble, Detail = detail };
}
