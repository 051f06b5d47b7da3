namespace Angarium.Host.Cluster;

/// <summary>One silo's suspicion of another. A value.</summary>
internal sealed record MembershipVote(string By, DateTime At);
