using Angarium.Mail;
using CsCheck;

namespace Angarium.Unit.Mail;

/// <summary>The strong ids: what people and stores see comes back as the same value.</summary>
public sealed class KeyTests
{
    private static readonly Gen<RecipientKey> Keys = Gen.Select(Gen.ULong, Gen.UInt, Gen.UShort, (w, p, o) => new RecipientKey(w, p, o));

    [Fact]
    public void RecipientKey_TextAndOctets_ComeBack() => Keys.Sample(key =>
    {
        var octets = new byte[RecipientKey.Size];
        key.Write(octets);
        var text = key.ToString();
        return RecipientKey.Read(octets) == key && text.Length == 23 && RecipientKey.TryParse(text, out var back) && back == key
            && RecipientKey.TryParse(text.ToUpperInvariant(), out var upper) && upper == key;
    });

    [Fact]
    public void MessageId_Text_ComesBack() => Keys.Sample(key => MessageId.TryParse(new MessageId(key).ToString(), out var id) && id.First == key);

    [Fact]
    public void RecipientKey_Order_IsThatOfItsOctets() => Gen.Select(Keys, Keys).Sample((a, b) =>
    {
        var (x, y) = (new byte[RecipientKey.Size], new byte[RecipientKey.Size]);
        a.Write(x);
        b.Write(y);
        return Math.Sign(a.CompareTo(b)) == Math.Sign(x.AsSpan().SequenceCompareTo(y));
    });

    [Theory]
    [InlineData("")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaa")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaa")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaa1")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaab")] // The last character carries three bits that no key sets.
    [InlineData("äaaaaaaaaaaaaaaaaaaaaaa")]
    public void MessageId_OtherText_IsRefused(string text) => Assert.False(MessageId.TryParse(text, out _));

    [Fact]
    public void StoreTime_ToString_IsRfc3339() => Assert.Equal("1970-01-01T00:00:01.500Z", new StoreTime(1500).ToString());
}
