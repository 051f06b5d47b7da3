using Angarium.Mail.Addresses;
using CsCheck;

namespace Angarium.Unit.Mail;

public sealed class QueueDomainTests
{
    [Theory]
    [InlineData("Example.COM", "example.com")]
    [InlineData("example.com.", "example.com")]
    [InlineData("localhost", "localhost")]
    [InlineData("a-b.x1.example", "a-b.x1.example")]
    [InlineData("my_host.example", "my_host.example")]
    [InlineData("3com.com", "3com.com")]
    // RFC 5890 §2.3.2.1: a U-label and its A-label are one domain, whatever the case.
    [InlineData("bücher.example", "xn--bcher-kva.example")]
    [InlineData("BÜCHER.example", "xn--bcher-kva.example")]
    [InlineData("XN--BCHER-KVA.example", "xn--bcher-kva.example")]
    [InlineData("faß.de", "xn--fa-hia.de")]
    [InlineData("日本.jp", "xn--wgv71a.jp")]
    [InlineData("ไทย.example", "xn--o3cw4h.example")]
    [InlineData("हिन्दी.example", "xn--j2bd4cyah0f.example")]
    // RFC 5321 §4.1.3.
    [InlineData("[192.0.2.1]", "[192.0.2.1]")]
    [InlineData("[IPv6:2001:DB8:0:0::1]", "[ipv6:2001:db8::1]")]
    [InlineData("[ipv6:::ffff:192.0.2.1]", "[ipv6:::ffff:192.0.2.1]")]
    public void TryParse_Domain_IsCanonical(string text, string expected)
    {
        Assert.True(QueueDomain.TryParse(text, out var domain));
        Assert.Equal(expected, domain.Value);
        Assert.True(QueueDomain.TryParse(domain.Value, out var again));
        Assert.Equal(domain, again);
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("a..b")]
    [InlineData(".a")]
    [InlineData("a.b..")]
    [InlineData("-a.example")]
    [InlineData("a-.example")]
    [InlineData("a b.example")]
    [InlineData("a\0.example")]
    [InlineData("a/b.example")]
    [InlineData("1.2.3.4")] // RFC 3696 §2: no address without its brackets.
    [InlineData("1")]
    [InlineData("a.123")]
    [InlineData("[1.2.3]")]
    [InlineData("[1.2.3.256]")]
    [InlineData("[1.2.3.04]")]
    [InlineData("[0x7f.0.0.1]")]
    [InlineData("[2130706433]")]
    [InlineData("[2001:db8::1]")]
    [InlineData("[IPv6:]")]
    [InlineData("[IPv6:fe80::1%1]")]
    [InlineData("[IPv6:1.2.3.4]")]
    [InlineData("[IPv6::::1]")]
    [InlineData("[IPv6:::ffff:1.2.3]")]
    [InlineData("[x:y]")]
    [InlineData("[1.2.3.4")]
    [InlineData("[]")]
    // What RFC 5892 does not let into a U-label, or what normalization would change.
    [InlineData("bu\u0308cher.example")]
    [InlineData("\u200Bx.example")]
    [InlineData("ａｂｃ.example")]
    [InlineData("日本。jp")]
    [InlineData("☃.example")]
    [InlineData("\u1100\u1161.example")]
    [InlineData("\u0E31\u0E31.example")]
    [InlineData("\uD800.example")]
    public void TryParse_OtherText_IsRefused(string text) => Assert.False(QueueDomain.TryParse(text, out _));

    [Fact]
    public void TryParse_Lengths_AreThoseOfDns()
    {
        Assert.True(QueueDomain.TryParse(new string('a', 63) + ".example", out _));
        Assert.False(QueueDomain.TryParse(new string('a', 64) + ".example", out _));
        var labels = string.Concat(Enumerable.Repeat(new string('a', 63) + ".", 3));
        Assert.True(QueueDomain.TryParse(labels + new string('a', 61), out _));
        Assert.False(QueueDomain.TryParse(labels + new string('a', 62), out _));
        // The U-labels are short, the A-labels that come of them are not.
        Assert.False(QueueDomain.TryParse(string.Join('.', Enumerable.Repeat(new string('ü', 40), 6)), out _));
    }

    [Fact]
    public void TryGetAddress_Literal_IsItsAddress()
    {
        Assert.True(QueueDomain.TryParse("[IPv6:2001:db8::1]", out var domain));
        Assert.True(domain.TryGetAddress(out var address));
        Assert.Equal(System.Net.IPAddress.Parse("2001:db8::1"), address);
        Assert.True(QueueDomain.TryParse("example.com", out var name));
        Assert.False(name.TryGetAddress(out _));
        Assert.False(default(QueueDomain).TryGetAddress(out _));
    }

    [Fact]
    public void TryParse_AnyText_IsTotalAndIdempotent() => Gen.OneOf(Gen.String, Gen.String[Gen.Char["aZ09-_.[]:üÄ日\u0300\u200B。%x"], 0, 40]).Sample(text =>
    {
        if (!QueueDomain.TryParse(text, out var domain)) return;
        Assert.True(System.Text.Ascii.IsValid(domain.Value));
        Assert.Equal(domain.Value.ToLowerInvariant(), domain.Value);
        Assert.True(QueueDomain.TryParse(domain.Value, out var again) && again == domain, text);
    });
}
