using System.Text;
using Angarium.Mail;
using Angarium.Mail.Status;
using CsCheck;

namespace Angarium.Unit.Mail;

public sealed class DsnParametersTests
{
    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("a+b=c d", "a+2Bb+3Dc+20d")]
    [InlineData("ü", "+C3+BC")]
    public void Encode_Text_IsXtext(string text, string xtext) => Assert.Equal(xtext, Xtext.Encode(text));

    [Fact]
    public void Decode_WhatWasEncoded_ComesBack() => Gen.String[Gen.Char[' ', '~'], 0, 60].Sample(text => Xtext.Decode(Xtext.Encode(text)) == text);

    [Theory]
    [InlineData("+")]
    [InlineData("+4")]
    [InlineData("+4g")]
    [InlineData("+2b")] // RFC 3461 §4: upper case.
    [InlineData("a=b")]
    [InlineData("a b")]
    [InlineData("+0D+0A")]
    [InlineData("+7F")]
    [InlineData("ü")]
    public void Decode_OtherText_IsNull(string xtext) => Assert.Null(Xtext.Decode(xtext));

    [Theory]
    [InlineData("j\\x{FC}rgen@example.com", "jürgen@example.com")]
    [InlineData("\\x{1F600}@example.com", "\U0001F600@example.com")]
    [InlineData("jürgen@example.com", "jürgen@example.com")]
    public void DecodeUtf8Address_BothForms_AreTaken(string encoded, string address) => Assert.Equal(address, Xtext.DecodeUtf8Address(encoded));

    [Theory]
    [InlineData(DsnNotify.Never)]
    [InlineData(DsnNotify.Success)]
    [InlineData(DsnNotify.Failure | DsnNotify.Delay)]
    [InlineData(DsnNotify.Success | DsnNotify.Failure | DsnNotify.Delay)]
    public void Format_Notify_ComesBack(DsnNotify notify)
    {
        Assert.True(DsnParameters.TryParseNotify(DsnParameters.Format(notify), out var back));
        Assert.Equal(notify, back);
    }

    [Fact]
    public void Format_Unspecified_IsNothing()
    {
        Assert.Null(DsnParameters.Format(DsnNotify.Unspecified));
        Assert.Null(DsnParameters.Format(DsnReturn.Unspecified));
        Assert.Equal("FULL", DsnParameters.Format(DsnReturn.Full));
        Assert.Equal("HDRS", DsnParameters.Format(DsnReturn.Headers));
    }

    [Fact]
    public void TryParseOriginalRecipient_TypeAndAddress_AreDecoded()
    {
        Assert.True(DsnParameters.TryParseOriginalRecipient("RFC822;a+2Bb@example.com", out var type, out var address));
        Assert.Equal(("rfc822", "a+b@example.com"), (type, address));
    }

    [Theory]
    [InlineData("5.1.1", true, 5)]
    [InlineData("4.999.999 x", true, 9)]
    [InlineData("5.1.1.1", false, 0)]
    [InlineData("5.1.1000", false, 0)]
    [InlineData("3.1.1", false, 0)]
    [InlineData("5..1", false, 0)]
    [InlineData("5.1.", false, 0)]
    [InlineData("5.1", false, 0)]
    public void EnhancedStatus_TryParse_IsStrict(string text, bool good, int length)
    {
        Assert.Equal(good, EnhancedStatus.TryParse(Encoding.ASCII.GetBytes(text), out var status, out var used));
        Assert.Equal(length, used);
        if (good) Assert.Equal(text[..length], status.ToString());
    }

    [Fact]
    public void EncodeUtf8Address_AnyText_IsSevenBitAndComesBack() => Gen.OneOf(Gen.String[Gen.Char["ab@.+=\\ ü日"], 0, 30], Gen.String[0, 30]).Sample(text =>
    {
        if (text.Any(char.IsControl) || text.EnumerateRunes().Any(r => r.Value == 0xFFFD)) return;
        var encoded = Xtext.EncodeUtf8Address(text);
        Assert.DoesNotContain(encoded, c => c is <= ' ' or '+' or '=' or > '~');
        Assert.Equal(text, Xtext.DecodeUtf8Address(encoded));
    });
}
