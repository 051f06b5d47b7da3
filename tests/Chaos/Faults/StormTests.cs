using Angarium.Chaos.Running;

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
        Assert.Equal(["kill-ingress", "kill-silo", "kill-egress", "kill-api", "kill-dns", "redis-flush"], FaultKinds.Choose("kill,redis-flush").Select(f => f.Name));

    [Fact]
    public void Choose_ForOneProcess_LeavesOutWhatNeedsOthers()
    {
        Assert.Equal(["kill-dns", "clock"], FaultKinds.Choose("kill-dns,redis,clock", isAlone: true).Select(f => f.Name));
        Assert.Throws<ArgumentException>(() => FaultKinds.Choose("redis,azurite,cut", isAlone: true));
        Assert.Empty(FaultKinds.Choose("none", isAlone: true));
    }

    /// <summary>A kind that cannot strike (a clock without libfaketime) leaves no count behind, and is missed all the same.</summary>
    [Fact]
    public void Never_AKindThatWasDealtAndIsNotCounted_IsNamed()
    {
        var options = new RunOptions { Seeds = 20, Minutes = 1, Every = 20 };
        var struck = FaultKinds.All.Select(f => f.Name).Where(name => name is not ("clock" or "kill-api")).ToDictionary(name => name, _ => 1);
        Assert.Equal(["clock", "kill-api"], Campaign.Never(options, FaultKinds.All, struck));
        Assert.Empty(Campaign.Never(options with { Seeds = 1 }, [FaultKinds.All[0]], struck));
    }

    [Fact]
    public void Choose_UnknownName_IsRefused() => Assert.Throws<ArgumentException>(() => FaultKinds.Choose("kil"));
}
