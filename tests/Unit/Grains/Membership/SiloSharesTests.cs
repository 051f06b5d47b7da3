using Angarium.Grains.Membership;
using Angarium.Mail;

namespace Angarium.Unit.Grains.Membership;

/// <summary>Each pack is of one silo, shares are about even, and only a lost silo's packs move.</summary>
public sealed class SiloSharesTests
{
    private static readonly string[] s_three = ["10.0.0.1:1@7", "10.0.0.2:1@7", "10.0.0.3:1@7"];
    private static readonly ulong[] s_items = [.. Enumerable.Range(1, 30_000).Select(n => SiloShares.Item(new PackName(PackKind.Birth, (ulong)n / 100, (uint)n % 100)))];

    [Fact]
    public void IsMine_OfThree_IsTrueForExactlyOneAndEven()
    {
        var counts = Counts(s_three);
        Assert.Equal(s_items.Length, counts.Sum());
        Assert.All(counts, c => Assert.InRange(c, 9_000, 11_000));
    }

    [Fact]
    public void IsMine_WhenOneIsLost_KeepsWhatTheOthersHad()
    {
        var before = Mine(s_three[0], s_three);
        var after = Mine(s_three[0], s_three[..2]);
        Assert.Subset(after, before);
        Assert.NotEqual(before.Count, after.Count);
    }

    [Fact]
    public void IsMine_ForOneThatIsInNoList_CountsItselfIn() => Assert.NotEmpty(Mine("10.0.0.9:1@7", s_three));

    private static int[] Counts(string[] silos) => [.. silos.Select(s => Mine(s, silos).Count)];

    private static HashSet<ulong> Mine(string own, string[] silos)
    {
        var shares = new SiloShares(own, silos);
        return [.. s_items.Where(shares.IsMine)];
    }
}
