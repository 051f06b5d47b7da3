using Angarium.Grains.Index;
using Angarium.Mail;

namespace Angarium.Unit.Grains.Index;

public class RedisOptionsTests
{
    [Theory]
    [InlineData("")]
    [InlineData("redis.example")]
    [InlineData("redis-0.example:6379,redis-1.example:6379,user=grains,password=p=a=s,ssl=true")]
    [InlineData("name.westeurope.redis.azure.net:10000,password=x,ssl=True,abortConnect=False")]
    public void Connection_OfTheForm_IsTaken(string text) => Assert.Empty(new RedisOptions { Redis = text }.Validate());

    [Theory]
    [InlineData("redis.example,pasword=opensesame")]
    [InlineData("password=opensesame")]
    [InlineData("redis.example:opensesame")]
    [InlineData("redis.example,ssl=opensesame")]
    [InlineData(",")]
    public void Connection_OfAnother_IsRefusedInOneLineThatNamesTheSettingAndNoSecret(string text)
    {
        var line = Assert.Single(new RedisOptions { Redis = text }.Validate());
        Assert.StartsWith("Redis: ", line, StringComparison.Ordinal);
        Assert.DoesNotContain("opensesame", line, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', line);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a{b}")]
    [InlineData("a:b")]
    public void Cluster_ThatWouldSpoilKeys_IsRefused(string cluster) => Assert.Throws<ArgumentException>(() => new RedisKeys(cluster));

    [Theory]
    [InlineData("acme", "acme:1")]
    [InlineData("a:b", "a:b:1")]
    [InlineData("ü", "ü:1")]
    public void Lane_OfAnyTenant_ComesBack(string tenant, string text)
    {
        var lane = new Lane(tenant, MessageClass.Bulk);
        Assert.Equal(text, System.Text.Encoding.UTF8.GetString(RedisKeys.Lane(lane)));
        Assert.Equal(lane, RedisKeys.Lane((ReadOnlySpan<byte>)RedisKeys.Lane(lane)));
    }

    // SHA-256 of example.net begins 3daab7cff97925bbd07d11df5dc3b0e3.
    [Fact]
    public void Partition_OfADomain_IsFixedForEver()
    {
        Assert.Equal(UInt128.Parse("3daab7cff97925bbd07d11df5dc3b0e3", System.Globalization.NumberStyles.HexNumber), IndexPartition.Hash("example.net"));
        Assert.Equal(0xe3, IndexPartition.Of("example.net"));
    }
}
