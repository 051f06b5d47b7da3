using Angarium.Mail;
using Angarium.Mail.Addresses;
using Angarium.Mail.Tenants;

namespace Angarium.Unit.Mail.Tenants;

/// <summary>A recipient's own return path: what it says, and that nobody else can say it.</summary>
public sealed class ReturnTagTests
{
    private static readonly byte[] s_key = [1, 2, 3];
    private static readonly RecipientKey s_recipient = new(0x0102030405060708, 9, 10);

    private readonly ReturnTag _tag = ReturnTag.Of(s_key, 0xfedcba9876543210, "bounce.example.org");

    [Fact]
    public void For_ARecipient_IsAnAddressThatNamesIt()
    {
        var path = _tag.For(s_recipient);
        Assert.StartsWith($"b-{s_recipient}-", path, StringComparison.Ordinal);
        Assert.True(MailAddress.TryParse(path, out _));
        var local = path[..path.LastIndexOf('@')];
        Assert.True(local.Length <= 64);
        foreach (var written in new[] { local, local.ToUpperInvariant() })
        {
            Assert.True(ReturnTag.TryParse(written, out var recipient, out var nonce, out var signature));
            Assert.Equal((s_recipient, _tag.Nonce), (recipient, nonce));
            Assert.True(ReturnTag.Of(s_key, nonce, "").IsGenuine(recipient, signature));
        }
    }

    [Fact]
    public void IsGenuine_OfAnythingElse_IsNot()
    {
        Assert.True(ReturnTag.TryParse(_tag.For(s_recipient).AsSpan(0, 53), out var recipient, out var nonce, out var signature));
        Assert.False(_tag.IsGenuine(recipient with { Ordinal = 11 }, signature));
        Assert.False(_tag.IsGenuine(recipient, signature ^ 1));
        Assert.False(ReturnTag.Of(s_key, nonce + 1, "").IsGenuine(recipient, signature));
        Assert.False(ReturnTag.Of([1, 2, 4], nonce, "").IsGenuine(recipient, signature));
    }

    [Theory]
    [InlineData("")]
    [InlineData("b-")]
    [InlineData("someone")]
    [InlineData("b-aaaaaaaaaaaaaaaaaaaaaaa-aaaaaaaaaaaaa-aaaaaaaaaaaa")]
    [InlineData("b-aaaaaaaaaaaaaaaaaaaaaaa-aaaaaaaaaaaaa-aaaaaaaaaaaa1")]
    [InlineData("b-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-aaaaaaaaaaaaa")]
    [InlineData("c-aaaaaaaaaaaaaaaaaaaaaaa-aaaaaaaaaaaaa-aaaaaaaaaaaaa")]
    public void TryParse_AnythingElse_IsNone(string local) => Assert.False(ReturnTag.TryParse(local, out _, out _, out _));

    [Fact]
    public void ToString_ShowsNoKey() => Assert.Equal("bounce.example.org", _tag.ToString());
}
