using Angarium.Contracts.Intake;
using Angarium.Mail;

namespace Angarium.Unit.Contracts;

/// <summary>Design rule 23: refused recipients count for ten minutes or until their domain accepts again.</summary>
public sealed class RefusalWindowTests
{
    private static readonly StoreTime s_start = new(1_700_000_000_000);
    private readonly RefusalWindow _window = new();

    [Fact]
    public void Count_OfRefusals_IsTheirSum()
    {
        _window.Refused("a.example", 3, s_start);
        _window.Refused("b.example", 4, s_start + TimeSpan.FromMinutes(1));
        _window.Refused("a.example", 5, s_start + TimeSpan.FromMinutes(2));
        _window.Refused("a.example", 0, s_start + TimeSpan.FromMinutes(2));
        Assert.Equal(12, _window.Count(s_start + TimeSpan.FromMinutes(3)));
    }

    [Fact]
    public void Count_AfterTenMinutes_ForgetsEachRefusalInItsTurn()
    {
        _window.Refused("a.example", 3, s_start);
        _window.Refused("b.example", 4, s_start + TimeSpan.FromMinutes(5));
        Assert.Equal(7, _window.Count(s_start + RefusalWindow.Span));
        Assert.Equal(4, _window.Count(s_start + RefusalWindow.Span + TimeSpan.FromMinutes(1)));
        Assert.Equal(0, _window.Count(s_start + RefusalWindow.Span + TimeSpan.FromMinutes(6)));
        _window.Refused("a.example", 1, s_start + TimeSpan.FromMinutes(20));
        Assert.Equal(1, _window.Count(s_start + TimeSpan.FromMinutes(20)));
    }

    [Fact]
    public void Accepted_ByADomain_ForgetsItsRefusalsAndNoOthers()
    {
        _window.Refused("a.example", 3, s_start);
        _window.Refused("b.example", 4, s_start);
        _window.Refused("a.example", 5, s_start + TimeSpan.FromMinutes(2));
        _window.Accepted("a.example");
        Assert.Equal(4, _window.Count(s_start + TimeSpan.FromMinutes(2)));
        _window.Accepted("a.example");
        Assert.Equal(4, _window.Count(s_start + TimeSpan.FromMinutes(2)));
    }
}
