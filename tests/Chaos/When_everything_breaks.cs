using Angarium.Integration.Harness;

namespace Angarium.Chaos;

/// <summary>A short seeded run of the whole harness, as `tests/run-chaos` makes long ones.</summary>
public sealed class When_everything_breaks
{
    // What takes longer than this run has (freezes beyond a lease, clocks, a rolling restart) is left to the long ones.
    private const string Faults = "kill-ingress,kill-silo,kill-egress,redis-crash,redis-flush,azurite-down,cut";

    [Fact]
    public async Task Should_lose_nothing_in_half_a_minute_of_faults()
    {
        using var run = new Child(Environment.ProcessPath!, ["run", "--minutes", "0.4", "--seed", "1", "--faults", Faults, "--every", "3.4", "--rate", "20", "--patience", "80", "--linger", "10"]);
        // Three minutes on two idle cores; the bound is for a run that hangs.
        var code = await run.ExitAsync(TimeSpan.FromMinutes(10));
        TestContext.Current.TestOutputHelper?.WriteLine(run.Output);
        Assert.True(code == 0, run.Output);
    }
}
