using Angarium.Contracts.Configuration;

namespace Angarium.Unit.Contracts;

public sealed class LoggedRecipientsTests
{
    [Theory]
    [InlineData(LoggedRecipients.Full, 1, "u0@d0.test")]
    [InlineData(LoggedRecipients.Full, 2, "u0@d0.test,u1@d1.test")]
    [InlineData(LoggedRecipients.Domain, 1, "d0.test")]
    [InlineData(LoggedRecipients.Domain, 5, "d0.test,d1.test")]
    [InlineData(LoggedRecipients.None, 5, "")]
    public void Of_NamesNoMoreThanIsAllowed(LoggedRecipients how, int count, string text) => Assert.Equal(text, how.Of(count, i => $"u{i}@d{i % 2}.test", i => $"d{i % 2}.test"));

    [Fact]
    public void Of_ManyRecipients_NamesTen() => Assert.Equal("0,1,2,3,4,5,6,7,8,9,…", LoggedRecipients.Full.Of(100_000, i => $"{i}", _ => ""));
}
