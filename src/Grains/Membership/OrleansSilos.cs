namespace Angarium.Grains.Membership;

/// <summary>The silos as Orleans' membership has them. Any thread; keeps the shares of the last list that it saw and nothing that a crash could lose.</summary>
internal sealed class OrleansSilos(IClusterMembershipService membership, ILocalSiloDetails local) : ISilos
{
    private volatile Shares _shares = new(MembershipVersion.MinValue, new SiloShares(local.SiloAddress.ToParsableString(), []));

    public string Own { get; } = local.SiloAddress.ToParsableString();

    public IReadOnlyCollection<string> Living =>
        [.. membership.CurrentSnapshot.Members.Where(m => m.Value.Status == SiloStatus.Active).Select(m => m.Key.ToParsableString()).Append(Own).Distinct()];

    public bool? IsAlive(string silo)
    {
        SiloAddress address;
        try
        {
            address = SiloAddress.FromParsableString(silo);
        }
        catch (Exception e) when (e is FormatException or ArgumentException or OverflowException or IndexOutOfRangeException)
        {
            return null;
        }

        // A later life at the same address is the end of this one.
        return membership.CurrentSnapshot.GetSiloStatus(address) switch
        {
            SiloStatus.None => null,
            SiloStatus.Dead => false,
            _ => true,
        };
    }

    public bool IsMine(ulong item)
    {
        var snapshot = membership.CurrentSnapshot;
        var shares = _shares;
        if (shares.Version != snapshot.Version)
            _shares = shares = new Shares(snapshot.Version, new SiloShares(Own, snapshot.Members.Where(m => m.Value.Status == SiloStatus.Active).Select(m => m.Key.ToParsableString())));
        return shares.Of.IsMine(item);
    }

    private sealed record Shares(MembershipVersion Version, SiloShares Of);
}
