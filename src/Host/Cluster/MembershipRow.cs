using System.Text.Json.Serialization;

namespace Angarium.Host.Cluster;

/// <summary>One silo's row of the membership document: what Orleans gave, and the version at which it last changed. A value.</summary>
internal sealed record MembershipRow
{
    /// <summary>Address, port and generation in Orleans' parsable form.</summary>
    public required string Silo { get; init; }

    [JsonConverter(typeof(JsonStringEnumConverter<SiloStatus>))]
    public required SiloStatus Status { get; init; }

    public required string Name { get; init; }

    public required string Host { get; init; }

    /// <summary>Port for clients; 0 = none.</summary>
    public required int Gateway { get; init; }

    public required DateTime Started { get; init; }

    public required DateTime Alive { get; init; }

    /// <summary>The document's version at which this row last changed (its etag): <see cref="Alive"/> alone changes without.</summary>
    public required int Changed { get; init; }

    public IReadOnlyList<MembershipVote>? Suspects { get; init; }

    public string? Role { get; init; }

    public int UpdateZone { get; init; }

    public int FaultZone { get; init; }

    public static MembershipRow From(MembershipEntry entry, int changed) => new()
    {
        Silo = entry.SiloAddress.ToParsableString(), Status = entry.Status, Name = entry.SiloName ?? "", Host = entry.HostName ?? "", Gateway = entry.ProxyPort,
        Started = Utc(entry.StartTime), Alive = Utc(entry.IAmAliveTime), Changed = changed, Role = entry.RoleName, UpdateZone = entry.UpdateZone, FaultZone = entry.FaultZone,
        Suspects = entry.SuspectTimes is { } votes ? [.. votes.Select(vote => new MembershipVote(vote.Item1.ToParsableString(), Utc(vote.Item2)))] : null,
    };

    public MembershipEntry ToEntry() => new()
    {
        SiloAddress = SiloAddress.FromParsableString(Silo), Status = Status, SiloName = Name, HostName = Host, ProxyPort = Gateway,
        StartTime = Started, IAmAliveTime = Alive, RoleName = Role, UpdateZone = UpdateZone, FaultZone = FaultZone,
        SuspectTimes = Suspects?.Select(vote => Tuple.Create(SiloAddress.FromParsableString(vote.By), vote.At)).ToList(),
    };

    /// <summary>Orleans' times are UTC, whatever their kind says.</summary>
    public static DateTime Utc(DateTime time) => DateTime.SpecifyKind(time, DateTimeKind.Utc);
}
