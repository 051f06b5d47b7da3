using Angarium.Contracts.EgressPools;

namespace Angarium.Unit.Contracts;

public class PoolNameTests
{
    [Theory]
    [InlineData("default", "mx:a.test,b.test", "mx:a.test,b.test")]
    [InlineData("bulk-1", "mx:a.test,b.test", "bulk-1!mx:a.test,b.test")]
    [InlineData("bulk-1", "route:host:25", "bulk-1!route:host:25")]
    // A domain that DNS cannot hold may have any character.
    [InlineData("default", "dns:a!b", "dns:a!b")]
    [InlineData("bulk", "dns:a!b", "bulk!dns:a!b")]
    public void SiteIn_APool_IsReadAsWhatItWas(string pool, string site, string name)
    {
        Assert.Equal(name, PoolName.SiteIn(pool, site));
        Assert.Equal((pool, site), (PoolName.PoolOf(name), PoolName.SiteOf(name)));
    }

    [Theory]
    [InlineData("default", true)]
    [InlineData("a-1", true)]
    [InlineData("", false)]
    [InlineData("A", false)]
    [InlineData("a!b", false)]
    [InlineData("a:b", false)]
    [InlineData("a b", false)]
    [InlineData("ä", false)]
    [InlineData("abcdefghijklmnopqrstuvwxyz0123456", false)]
    public void IsValid_Name_IsShortAndPlain(string name, bool isValid) => Assert.Equal(isValid, PoolName.IsValid(name));
}
