using Angarium.Host.Cluster;

namespace Angarium.Unit.Host.Cluster;

public sealed class ForwardTimeTests
{
    private readonly TwoClocks _clocks = new();
    private readonly ForwardTime _time;

    public ForwardTimeTests() => _time = new ForwardTime(_clocks);

    [Fact]
    public void GetUtcNow_WallGoesOn_IsTheWall()
    {
        _clocks.Advance(TimeSpan.FromSeconds(7));
        Assert.Equal(_clocks.Wall, _time.GetUtcNow());
    }

    [Fact]
    public void GetUtcNow_WallSetForward_IsTheWall()
    {
        _clocks.Wall += TimeSpan.FromHours(1);
        Assert.Equal(_clocks.Wall, _time.GetUtcNow());
    }

    [Fact]
    public void GetUtcNow_WallSetBack_GoesOnFromWhereItWas()
    {
        var before = _time.GetUtcNow();
        _clocks.Wall -= TimeSpan.FromHours(1);
        Assert.Equal(before, _time.GetUtcNow());
        _clocks.Advance(TimeSpan.FromSeconds(7));
        Assert.Equal(before + TimeSpan.FromSeconds(7), _time.GetUtcNow());
    }

    [Fact]
    public void GetUtcNow_WallSetBackAndRight_IsTheWallAgain()
    {
        _clocks.Wall -= TimeSpan.FromHours(1);
        _clocks.Advance(TimeSpan.FromSeconds(7));
        _clocks.Wall += TimeSpan.FromHours(1);
        Assert.Equal(_clocks.Wall, _time.GetUtcNow());
    }
}
