using System.Text;
using Angarium.Host.Cluster;
using Orleans;
using Orleans.Runtime;

namespace Angarium.Unit.Host.Cluster;

public sealed class MembershipDocumentTests
{
    /// <summary>As it is stored: a changed byte is a visible change.</summary>
    private const string Golden =
        "angarium membership 1\n"
        + """{"cluster":"mail","version":7,"edit":"00c0ffee00c0ffee","silos":[{"silo":"10.0.0.1:11111@5","status":"Active","name":"one","host":"node-1","gateway":30000,"""
        + """ "started":"2026-01-02T03:04:05Z","alive":"2026-01-02T03:05:06.789Z","changed":7,"suspects":[{"by":"10.0.0.2:11111@6","at":"2026-01-02T03:05:00Z"}],"updateZone":0,"faultZone":0}]}""";

    private static readonly MembershipDocument s_document = new()
    {
        Cluster = "mail", Version = 7, Edit = "00c0ffee00c0ffee",
        Silos =
        [
            new MembershipRow
            {
                Silo = "10.0.0.1:11111@5", Status = SiloStatus.Active, Name = "one", Host = "node-1", Gateway = 30_000, Changed = 7,
                Started = new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc), Alive = new DateTime(2026, 1, 2, 3, 5, 6, 789, DateTimeKind.Utc),
                Suspects = [new MembershipVote("10.0.0.2:11111@6", new DateTime(2026, 1, 2, 3, 5, 0, DateTimeKind.Utc))],
            },
        ],
    };

    [Fact]
    public void Encode_Document_IsTheGoldenBytesAndComesBack()
    {
        var golden = Golden.Replace(", \"", ",\"", StringComparison.Ordinal);
        Assert.Equal(golden, Encoding.UTF8.GetString(s_document.Encode()));
        var read = MembershipDocument.Decode(Encoding.UTF8.GetBytes(golden), "mail");
        Assert.Equal(golden, Encoding.UTF8.GetString(read.Encode()));
        Assert.Equal(SiloStatus.Active, read.Find(SiloAddress.FromParsableString("10.0.0.1:11111@5"))!.Status);
        Assert.Null(read.Find(SiloAddress.FromParsableString("10.0.0.1:11111@6")));
    }

    [Theory]
    [InlineData("angarium membership 2\n{}", "has format 2")]
    [InlineData("angarium membership 1", "is not a membership document")]
    [InlineData("angarium membership x\n{}", "is not a membership document")]
    [InlineData("angarium ledger writers 1\n", "is not a membership document")]
    [InlineData("", "is not a membership document")]
    [InlineData("angarium membership 1\n{\"cluster\":\"mail\",\"version\":1,\"edit\":\"a\",\"silos\":[],\"zones\":[]}", "zones")]
    [InlineData("angarium membership 1\n{\"cluster\":\"mail\"}", "cannot be read")]
    [InlineData("angarium membership 1\nnull", "is empty")]
    [InlineData("angarium membership 1\n{\"cluster\":\"other\",\"version\":1,\"edit\":\"a\",\"silos\":[]}", "belongs to the cluster other")]
    public void Decode_WhatItDoesNotKnow_IsRefusedInOneLine(string content, string says)
    {
        var refused = Assert.Throws<IOException>(() => MembershipDocument.Decode(Encoding.UTF8.GetBytes(content), "mail"));
        Assert.Contains(says, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refused.Message);
    }

    [Fact]
    public void Row_OfAnEntry_KeepsAllOfIt()
    {
        var entry = new MembershipEntry
        {
            SiloAddress = SiloAddress.FromParsableString("10.0.0.1:11111@5"), Status = SiloStatus.Stopping, SiloName = "one", HostName = "node-1", ProxyPort = 4, RoleName = "role", UpdateZone = 2, FaultZone = 3,
            StartTime = new DateTime(2026, 1, 2), IAmAliveTime = new DateTime(2026, 1, 3), SuspectTimes = [Tuple.Create(SiloAddress.FromParsableString("10.0.0.2:11111@6"), new DateTime(2026, 1, 4))],
        };
        var back = MembershipRow.From(entry, 9).ToEntry();
        Assert.Equal(entry.ToFullString(), back.ToFullString());
        Assert.Equal((entry.RoleName, entry.UpdateZone, entry.FaultZone, entry.HostName), (back.RoleName, back.UpdateZone, back.FaultZone, back.HostName));
    }
}
