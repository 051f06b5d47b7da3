using Angarium.Host.Cluster;
using Microsoft.Extensions.Time.Testing;
using Orleans.Runtime;

namespace Angarium.Unit.Host.Cluster;

public sealed class StillRowsTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly Dictionary<string, DateTime> _alive = new() { ["own"] = default, ["other"] = default, ["third"] = default };
    private readonly StillRows _rows;

    public StillRowsTests() => _rows = new StillRows(_time, StillRows.Usual);

    [Fact]
    public void See_OneThatHasStoodStillForTwoMinutes_IsNamed()
    {
        Assert.Empty(After(120, moving: ["own", "third"]));
        Assert.Equal(["other"], After(10, moving: ["own", "third"]));
        // It came back before anybody had its way.
        Assert.Empty(After(5, moving: ["own", "third", "other"]));
        Assert.Empty(After(115, moving: ["own", "third"]));
    }

    /// <summary>Clocks differ, and are set: what counts is that a row changes.</summary>
    [Fact]
    public void See_RowsWithTimesOfTheirOwn_OnlyTheirChangeCounts()
    {
        _alive["other"] = new DateTime(1999, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        _alive["third"] = new DateTime(2099, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        Assert.Empty(After(600, moving: ["own", "other", "third"]));
    }

    /// <summary>The store was away, or took nothing, for everybody: nobody has lost it alone, and when it is back others may write later than this one.</summary>
    [Fact]
    public void See_WhenTheOwnRowStoodStillToo_NobodyIsNamed()
    {
        Assert.Empty(After(60, moving: ["own", "other", "third"]));
        Assert.Empty(After(600, moving: []));
        Assert.Empty(After(100, moving: ["own"]));
        Assert.Equal(["other", "third"], After(40, moving: ["own"]).Order());
    }

    /// <summary>This process was frozen, or could not read: the time of others is not over for it.</summary>
    [Fact]
    public void See_AfterAGapWithoutALook_AllBeginAnew()
    {
        Assert.Empty(After(60, moving: ["own", "other", "third"]));
        _time.Advance(TimeSpan.FromMinutes(10));
        Assert.Empty(After(5, moving: ["own", "other", "third"]));
        Assert.Empty(After(100, moving: ["own", "other"]));
        Assert.Equal(["third"], After(40, moving: ["own", "other"]));
    }

    [Fact]
    public void See_SilosThatAreNotActive_AreNotNamed()
    {
        var document = MembershipDocument.Empty("mail");
        for (var i = 0; i < 60; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(5));
            _alive["own"] = _alive["own"].AddSeconds(5);
            var rows = new[] { Row("own", SiloStatus.Active), Row("other", SiloStatus.Joining), Row("third", SiloStatus.Dead) };
            Assert.Empty(_rows.See(document with { Silos = [.. rows] }, "own"));
        }
    }

    /// <summary>Time goes on in steps of five seconds; who moves writes its row in each.</summary>
    private IReadOnlyList<string> After(int seconds, string[] moving)
    {
        IReadOnlyList<string> still = [];
        for (var at = 0; at < seconds; at += 5)
        {
            _time.Advance(TimeSpan.FromSeconds(5));
            foreach (var silo in moving) _alive[silo] = _alive[silo].AddSeconds(5);
            still = _rows.See(MembershipDocument.Empty("mail") with { Silos = [.. _alive.Keys.Select(silo => Row(silo, SiloStatus.Active))] }, "own");
        }

        return still;
    }

    private MembershipRow Row(string silo, SiloStatus status) => new() { Silo = silo, Status = status, Name = silo, Host = "", Gateway = 0, Started = default, Alive = _alive[silo], Changed = 1 };
}
