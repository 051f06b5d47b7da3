using System.Net;
using Angarium.Egress;
using Angarium.Egress.Pools;

namespace Angarium.Unit.Egress.Pools;

public class PoolAddressTests
{
    [Theory]
    [InlineData("192.0.2.1=mx1.example.org", "192.0.2.1=mx1.example.org")]
    [InlineData(" 192.0.2.1=MX1.example.org.,2001:db8::1=mx2.example.org ", "192.0.2.1=mx1.example.org 2001:db8::1=mx2.example.org")]
    [InlineData("192.0.2.1=a.example\n192.0.2.2=a.example", "192.0.2.1=a.example 192.0.2.2=a.example")]
    [InlineData("nat.example.org", "=nat.example.org")]
    public void TryParse_Addresses_AreEachWithItsName(string text, string expected)
    {
        Assert.True(PoolAddress.TryParse(text, out var addresses, out var error), error);
        Assert.Equal(expected, string.Join(' ', addresses.Select(a => $"{a.Address}={a.Name}")));
    }

    [Fact]
    public void ServedPools_WithoutAWord_AreDefaultAndThoseThatAreNamed()
    {
        var options = new EgressOptions { Pools = new Dictionary<string, string> { ["bulk"] = "192.0.2.1=a.example", ["alerts"] = "192.0.2.2=b.example" } };
        Assert.Equal(["default", "alerts", "bulk"], options.ServedPools);
        Assert.Equal(["bulk"], (options with { Serves = ["bulk", "bulk"] }).ServedPools);
        Assert.Equal(["default"], new EgressOptions().ServedPools);
        Assert.Empty((options with { Serves = ["default", "bulk"] }).Validate());
    }

    /// <summary>Receivers count by address: in two pools it would have the connections of both.</summary>
    [Fact]
    public void Validate_AddressInTwoPools_IsRefused()
    {
        var wrong = new EgressOptions { Pools = new Dictionary<string, string> { ["a"] = "192.0.2.1=a.example", ["b"] = "192.0.2.2=b.example 192.0.2.1=a.example" } }.Validate();
        Assert.Equal("Egress:Pools:b: `192.0.2.1` is in pool a too; leave it in one of them.", Assert.Single(wrong));
    }

    [Fact]
    public void Validate_DefaultIsNamedTwice_IsRefused() => Assert.StartsWith(
        "Egress:Source: is where pool default sends from", Assert.Single(new EgressOptions { Source = ["192.0.2.1"], Pools = new Dictionary<string, string> { ["default"] = "192.0.2.2=b.example" } }.Validate()), StringComparison.Ordinal);

    [Theory]
    // One pool has them all, however many run.
    [InlineData(100, new[] { 70 }, 0, 100)]
    // Half of all is there for each of two to begin with, and the other half for who comes first.
    [InlineData(100, new[] { 0, 0 }, 0, 75)]
    [InlineData(100, new[] { 75, 0 }, 1, 25)]
    [InlineData(100, new[] { 75, 25 }, 0, 75)]
    [InlineData(100, new[] { 30, 60 }, 0, 40)]
    [InlineData(1, new[] { 1, 0 }, 1, 0)]
    public void SessionShares_OfAPool_LeaveTheOthersTheirs(int all, int[] running, int pool, int most) => Assert.Equal(most, SessionShares.Of(all, running, pool));

    [Fact]
    public void SessionShares_HoweverTheyAreTaken_NeverExceedAllOfThem()
    {
        var random = new Random(5);
        for (var round = 0; round < 200; round++)
        {
            var (all, running) = (random.Next(1, 60), new int[random.Next(1, 6)]);
            for (var step = 0; step < 300; step++)
            {
                var pool = random.Next(running.Length);
                if (random.Next(3) == 0) running[pool] = Math.Max(0, running[pool] - random.Next(1, 5));
                else if (running[pool] < SessionShares.Of(all, running, pool)) running[pool]++;
                Assert.True(running.Sum() <= all);
                for (var other = 0; other < running.Length; other++) Assert.True(SessionShares.Of(all, running, other) >= all / (2 * running.Length));
            }
        }
    }

    [Fact]
    public void TryParse_Ipv6_IsOfItsFamily()
    {
        Assert.True(PoolAddress.TryParse("fe80::1%1=a.example", out var addresses, out _));
        Assert.Equal(IPAddress.Parse("fe80::1%1"), Assert.Single(addresses).Address);
    }
}
