using Angarium.Contracts.Telemetry;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Contracts;

/// <summary>So many names are labels at a time, and after ten minutes those that were counted most.</summary>
public sealed class TopNamesTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly List<string> _forgotten = [];
    private readonly TopNames _names;

    public TopNamesTests() => _names = new TopNames(2, _forgotten.Add, _time);

    [Fact]
    public void Count_OfMoreNamesThanLabels_NamesTheFirst_AndThenTheBusiest()
    {
        Assert.Equal(["a", "b", "other", "other"], ((string[])["a", "b", "c", "c"]).Select(name => _names.Count(name, 10)));
        _names.Count("b", 1);
        _time.Advance(TimeSpan.FromMinutes(10));
        Assert.Equal(["c", "b", "other"], ((string[])["c", "b", "a"]).Select(name => _names.Count(name, 1)));
        Assert.Equal(["a"], _forgotten);
    }

    [Fact]
    public void Count_OfStrangersWithoutEnd_KeepsABoundedNumber()
    {
        for (var i = 0; i < 10_000; i++) _names.Count("stranger" + i, 1);
        _names.Count("stranger0", 100);
        _time.Advance(TimeSpan.FromMinutes(10));
        Assert.Equal("stranger0", _names.Count("stranger0", 1));
        Assert.True(_forgotten.Count <= 2);
    }

    [Fact]
    public void Count_OfWhoWasBusyOnce_LosesItsPlaceInTheEnd()
    {
        _names.Count("once", 1_000);
        _names.Count("steady", 10);
        for (var i = 0; i < 12; i++)
        {
            _names.Count("new", 10);
            _names.Count("steady", 10);
            _time.Advance(TimeSpan.FromMinutes(10));
        }

        Assert.Equal("other", _names.Count("once", 1));
        Assert.Equal("new", _names.Count("new", 1));
    }
}
