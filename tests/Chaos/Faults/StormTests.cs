namespace Angarium.Chaos.Faults;

/// <summary>Which faults a seed is dealt.</summary>
public sealed class StormTests
{
    [Fact]
    public void Deal_SeedsInARow_MissNoKind()
    {
        var dealt = Enumerable.Range(1, 3).SelectMany(seed => Storm.Deal(FaultKinds.All, seed, 12)).Select(f => f.Name);
        Assert.Equal(FaultKinds.All.Select(f => f.Name).Order(), dealt.Distinct().Order());
    }

    [Fact]
    public void Deal_SameSeed_IsTheSame() => Assert.Equal(Storm.Deal(FaultKinds.All, 7, 6), Storm.Deal(FaultKinds.All, 7, 6));

    [Fact]
    public void Choose_Beginnings_AreFamilies() =>
        Assert.Equal(["kill-ingress", "kill-silo", "kill-egress", "kill-dns", "redis-flush"], FaultKinds.Choose("kill,redis-flush").Select(f => f.Name));

    [Fact]
    public void Choose_UnknownName_IsRefused() => Assert.Throws<ArgumentException>(() => FaultKinds.Choose("kil"));
}
