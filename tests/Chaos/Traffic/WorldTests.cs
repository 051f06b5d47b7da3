using System.Text;

namespace Angarium.Chaos.Traffic;

/// <summary>What is sent, and what the sink reads in it.</summary>
public sealed class WorldTests
{
    private const string Trace = "Received: from client.test\r\n\t([10.99.100.1])\r\n\tby ingress1.test\r\n\twith ESMTP\r\n\tid gn3nkqle5soyqaaaaabaaca;\r\n\tThu, 26 Nov 2026 11:10:00 +0000\r\n";
    private readonly World world = new(1);

    [Theory]
    [InlineData(1)]
    [InlineData(100)]
    public void Read_WhatWasSent_IsIntact(long number) =>
        Assert.Equal((number, "gn3nkqle5soyqaaaaabaaca", true), Message.Read(Encoding.Latin1.GetBytes(Trace + world.Content(number))));

    [Fact]
    public void Read_OneOctetMissing_IsDamaged() => Assert.False(Message.Read(Encoding.Latin1.GetBytes(Trace + world.Content(1)[..^3] + "\r\n")).IsIntact);

    [Fact]
    public void FailedRecipients_Notice_NamesThoseThatFailed() => Assert.Equal(["x1-0@a.test"], Message.FailedRecipients(Encoding.Latin1.GetBytes(
        "Final-Recipient: rfc822;x1-0@a.test\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\nFinal-Recipient: rfc822;r1-1@a.test\r\nAction: delayed\r\n")));

    [Fact]
    public void Recipients_OfAThousandMessages_NeverRepeat()
    {
        var all = Enumerable.Range(1, 1000).SelectMany(n => world.Recipients(n)).ToList();
        Assert.Equal(all.Count, all.Distinct().Count());
        Assert.True(all.Select(r => r.Split('@')[1]).Distinct().Count() > 100);
    }

    [Fact]
    public void Recipients_SameSeed_AreTheSame() => Assert.Equal(world.Recipients(42), new World(1).Recipients(42));
}
