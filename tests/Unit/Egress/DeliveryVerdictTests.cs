using Angarium.Contracts.DomainQueues;
using Angarium.Egress.Sessions;
using Angarium.Mail;

namespace Angarium.Unit.Egress;

public class DeliveryVerdictTests
{
    [Theory]
    [InlineData("Greeting", 554, "Deferred Host end")]
    [InlineData("Ehlo", 421, "Deferred Host end")]
    [InlineData("Login", 535, "Deferred Host end")]
    [InlineData("Mail", 550, "Failed Message")]
    [InlineData("Mail", 451, "Deferred Message")]
    [InlineData("Mail", 421, "Deferred Host end")]
    [InlineData("Rcpt", 550, "Failed Recipient")]
    [InlineData("Rcpt", 450, "Deferred Recipient")]
    [InlineData("Rcpt", 452, "Deferred Recipient next")]
    [InlineData("Rcpt", 552, "Deferred Recipient next")]
    [InlineData("Rcpt", 354, "Deferred Message own end")]
    [InlineData("Data", 554, "Failed Message")]
    [InlineData("Data", 250, "Deferred Message own end")]
    [InlineData("Dot", 250, "Delivered Message")]
    [InlineData("Dot", 451, "Deferred Message")]
    [InlineData("Dot", 554, "Failed Message")]
    [InlineData("Dot", 421, "Deferred Host end")]
    [InlineData("Dot", 354, "Deferred Message own duplicate end")]
    public void Of_Reply_AsTheTableSays(string stage, int code, string expected) =>
        Assert.Equal(expected, Describe(DeliveryVerdict.Of(Enum.Parse<AttemptStage>(stage), new Reply(code, default, "x"), othersAccepted: true)));

    [Theory]
    [InlineData("Connect", "Unreachable", "Deferred Host own end")]
    [InlineData("Tls", "TlsFailed", "Deferred Host own end")]
    [InlineData("Mail", "Cut", "Deferred Host own end")]
    [InlineData("Content", "Timeout", "Deferred Host own end")]
    [InlineData("Content", "LeaseEnded", "Returned Message own end")]
    [InlineData("Content", "Corrupt", "Deferred Message own end")]
    [InlineData("Dot", "Cut", "Deferred Message own duplicate end")]
    [InlineData("Dot", "Timeout", "Deferred Message own duplicate end")]
    [InlineData("Dot", "LeaseEnded", "Deferred Message own duplicate end")]
    public void Of_Fault_AsTheTableSays(string stage, string fault, string expected) =>
        Assert.Equal(expected, Describe(DeliveryVerdict.Of(Enum.Parse<AttemptStage>(stage), Enum.Parse<AttemptFault>(fault), "x")));

    [Fact]
    public void Of_FullMailbox552_Fails() => Assert.Equal("Failed Recipient", Describe(DeliveryVerdict.Of(AttemptStage.Rcpt, new Reply(552, new(5, 2, 2), "full"), true)));

    private static string Describe(DeliveryVerdict v) =>
        $"{v.Kind} {v.Scope}" + (v.Own ? " own" : "") + (v.PossibleDuplicate ? " duplicate" : "") + (v.NextTransaction ? " next" : "") + (v.EndsSession ? " end" : "");
}
