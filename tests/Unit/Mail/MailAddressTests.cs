using System.Text;
using Angarium.Mail.Addresses;
using CsCheck;

namespace Angarium.Unit.Mail;

public sealed class MailAddressTests
{
    [Theory]
    [InlineData("user@example.com", "user", "user", "example.com")]
    [InlineData("User.Name+tag@Example.COM", "User.Name+tag", "User.Name+tag", "example.com")]
    [InlineData("!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~", "!#$%&'*+-/=?^_`{|}~", "example.com")]
    [InlineData("\"john\"@example.com", "\"john\"", "john", "example.com")]
    [InlineData("\"a b@c\"@example.com", "\"a b@c\"", "a b@c", "example.com")]
    [InlineData("\"a\\\"b\\\\c\"@example.com", "\"a\\\"b\\\\c\"", "a\"b\\c", "example.com")]
    [InlineData("\"\"@example.com", "\"\"", "", "example.com")]
    [InlineData("user@[192.0.2.1]", "user", "user", "[192.0.2.1]")]
    [InlineData("user@[IPv6:2001:DB8::1]", "user", "user", "[ipv6:2001:db8::1]")]
    [InlineData("用户@例子.广告", "用户", "用户", "xn--fsqu00a.xn--4rr70v")]
    [InlineData("jürgen@BÜCHER.example", "jürgen", "jürgen", "xn--bcher-kva.example")]
    [InlineData("\"ü ü\"@example.com", "\"ü ü\"", "ü ü", "example.com")]
    public void TryParse_Mailbox_IsKeptAsWritten(string text, string localPart, string mailbox, string domain)
    {
        Assert.True(MailAddress.TryParse(text, out var address));
        Assert.Equal(localPart, address.LocalPart);
        Assert.Equal(mailbox, address.Mailbox);
        Assert.Equal(domain, address.QueueDomain.Value);
        Assert.Equal(text, address.ToString());
        Assert.Equal(Ascii.IsValid(text), address.IsAscii);
    }

    [Theory]
    [InlineData("")]
    [InlineData("@")]
    [InlineData("user")]
    [InlineData("user@")]
    [InlineData("@example.com")]
    [InlineData(".user@example.com")]
    [InlineData("user.@example.com")]
    [InlineData("us..er@example.com")]
    [InlineData("us er@example.com")]
    [InlineData("user@example.com ")]
    [InlineData("user@example.com.")]
    [InlineData("user@exa mple.com")]
    [InlineData("a@b@example.com")]
    [InlineData("<user@example.com>")]
    [InlineData("user(comment)@example.com")]
    [InlineData("\"user@example.com")]
    [InlineData("\"us\"er@example.com")]
    [InlineData("\"us\\\"@example.com")]
    [InlineData("us\"er@example.com")]
    [InlineData("user@10.0.0.1")]
    [InlineData("user@[10.0.0.1")]
    // No control byte in any place, quoted or escaped (command injection).
    [InlineData("us\rer@example.com")]
    [InlineData("us\ner@example.com")]
    [InlineData("us\0er@example.com")]
    [InlineData("\"us\rer\"@example.com")]
    [InlineData("\"us\\\ner\"@example.com")]
    [InlineData("\"us\\\0er\"@example.com")]
    [InlineData("\"us\ter\"@example.com")]
    [InlineData("\"us\u007Fer\"@example.com")]
    [InlineData("us\u0085er@example.com")]
    [InlineData("us\u2028er@example.com")]
    [InlineData("\"us\\ü\"@example.com")]
    public void TryParse_OtherText_IsRefused(string text) => Assert.False(MailAddress.TryParse(text, out _));

    [Fact]
    public void TryParse_Lengths_AreThoseOfRfc5321()
    {
        Assert.True(MailAddress.TryParse(new string('a', 242) + "@example.com", out _));
        Assert.False(MailAddress.TryParse(new string('a', 243) + "@example.com", out _));
        // RFC 6531 §3.3: the limits are in octets.
        Assert.True(MailAddress.TryParse(new string('ü', 121) + "@example.com", out _));
        Assert.False(MailAddress.TryParse(new string('ü', 122) + "@example.com", out _));
        var domain = string.Join('.', Enumerable.Repeat(new string('d', 61), 4));
        Assert.True(MailAddress.TryParse(new string('a', 254 - domain.Length - 1) + "@" + domain, out _));
        Assert.False(MailAddress.TryParse(new string('a', 254 - domain.Length) + "@" + domain, out _));
    }

    [Fact]
    public void TryParse_MalformedUtf8_IsRefused()
    {
        Assert.False(MailAddress.TryParse("u\xC3@example.com"u8[..0], out _));
        Assert.False(MailAddress.TryParse([(byte)'u', 0xC3, (byte)'@', (byte)'e', (byte)'.', (byte)'x'], out _));
        Assert.False(MailAddress.TryParse([0xC0, 0xAF, (byte)'@', (byte)'e'], out _));
        Assert.False(MailAddress.TryParse([(byte)'u', (byte)'@', 0xFC, (byte)'e'], out _));
    }

    internal static readonly Gen<string> LocalParts = Gen.OneOf(
        Gen.String[Gen.Char["abcZ09!#$%&'*+-/=?^_`{|}~üé日"], 1, 20],
        Gen.String[Gen.Char["abcZ09+-_"], 1, 8].Array[1, 4].Select(parts => string.Join('.', parts)),
        Gen.String[Gen.Char["abc @.<>()[],:; \\\"ü"], 0, 20].Select(text => '"' + text.Replace("\\", "\\\\").Replace("\"", "\\\"") + '"'));

    internal static readonly Gen<string> Domains = Gen.OneOf(
        Gen.String[Gen.Char["abz019"], 1, 10].Array[1, 4].Select(labels => string.Join('.', labels) + ".example"),
        Gen.Byte.Array[4].Select(b => $"[{new System.Net.IPAddress(b)}]"),
        Gen.Byte.Array[16].Select(b => $"[IPv6:{new System.Net.IPAddress(b)}]"),
        Gen.OneOfConst("bücher.example", "例子.广告"));

    [Fact]
    public void TryParse_WhatWasFormatted_ComesBack() => Gen.Select(LocalParts, Domains).Sample((local, domain) =>
    {
        Assert.True(MailAddress.TryParse($"{local}@{domain}", out var address), $"{local}@{domain}");
        Assert.Equal(local, address.LocalPart);
        Assert.Equal(domain, address.Domain);
        Assert.True(MailAddress.TryParse(Encoding.UTF8.GetBytes(address.ToString()), out var again));
        Assert.Equal(address, again);
    });

    [Fact]
    public void TryParse_AnyOctets_IsTotalAndNeverHoldsAControl() =>
        Gen.OneOf(Gen.Byte.Array[0, 60], Gen.OneOfConst("ab.@\"\\<>[]:\r\n\0 \t".Select(c => (byte)c).Append((byte)0xC3).Append((byte)0xBC).ToArray()).Array[0, 30]).Sample(octets =>
        {
            if (!MailAddress.TryParse(octets, out var address)) return;
            Assert.DoesNotContain(address.ToString(), char.IsControl);
            Assert.Equal(octets, Encoding.UTF8.GetBytes(address.ToString()));
        });
}
