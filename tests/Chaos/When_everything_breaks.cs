using Angarium.Integration.Harness;

namespace Angarium.Chaos;

/// <summary>A short seeded run of the whole harness, as `tests/run-chaos` makes long ones.</summary>
public sealed class When_everything_breaks
{
    [Fact]
    public async Task Should_lose_nothing_in_half_a_minute_of_faults()
    {
        using var run = new Child(Environment.ProcessPath!, ["run", "--minutes", "0.6", "--seed", "1", "--every", "6", "--rate", "30", "--patience", "80", "--linger", "25"]);
        var code = await run.ExitAsync(TimeSpan.FromMinutes(4));
        TestContext.Current.TestOutputHelper?.WriteLine(run.Output);
        Assert.True(code == 0, run.Output);
    }
}
