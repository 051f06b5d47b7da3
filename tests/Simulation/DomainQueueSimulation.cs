using System.Diagnostics;
using System.Globalization;
using Angarium.Simulation.World;

namespace Angarium.Simulation;

/// <summary>
/// The real queues, views and sweeps under virtual time and seeded faults: every acknowledged recipient ends delivered or with its sender told, and a second copy
/// only follows a final dot whose outcome nobody could record. Then each clause broken on purpose, with a seed that notices.
/// </summary>
public class DomainQueueSimulation(ITestOutputHelper output)
{
    [Fact]
    public void Relay_ManySeeds_KeepsItsPromises()
    {
        var count = int.Parse(Environment.GetEnvironmentVariable("ANGARIUM_SEEDS") ?? "400", CultureInfo.InvariantCulture);
        var first = int.Parse(Environment.GetEnvironmentVariable("ANGARIUM_FIRST_SEED") ?? "1", CultureInfo.InvariantCulture);
        var wrongs = new List<string>();
        long steps = 0, recipients = 0, duplicates = 0;
        var clock = Stopwatch.StartNew();
        for (var seed = first; seed < first + count && wrongs.Count < 10; seed++)
        {
            var world = new SimWorld(seed, Breaks.None);
            world.Run();
            steps += world.Loop.Steps;
            recipients += world.Recipients;
            duplicates += world.Duplicates;
            if (world.Wrongs.Count > 0) wrongs.Add($"seed {seed}: {world.Wrongs[0]}");
        }

        output.WriteLine($"{count} seeds, {steps} steps, {recipients} recipients, {duplicates} allowed second copies, {clock.Elapsed.TotalSeconds:f1} s");
        Assert.True(wrongs.Count == 0, string.Join("\n", wrongs));
        Assert.True(recipients > count * 50, "the simulation carried hardly any mail");
    }

    [Theory]
    [InlineData(nameof(Breaks.DecidedFirst), 6)]
    [InlineData(nameof(Breaks.AppendFirst), 4)]
    [InlineData(nameof(Breaks.LateHandOver), 19)]
    [InlineData(nameof(Breaks.Sweep), 1)]
    [InlineData(nameof(Breaks.Refresh), 11)]
    [InlineData(nameof(Breaks.Token), 2)]
    [InlineData(nameof(Breaks.Wait), 1)]
    [InlineData(nameof(Breaks.WakeUp), 116)]
    public void Clause_BrokenOnPurpose_IsNoticed(string clause, int seed)
    {
        Assert.Null(Wrong(seed, Breaks.None));
        Assert.NotNull(Wrong(seed, Enum.Parse<Breaks>(clause)));
    }

    /// <summary>Finds seeds for <see cref="Clause_BrokenOnPurpose_IsNoticed"/>; runs only when asked to.</summary>
    [Fact]
    public void Clause_Broken_SearchSeeds()
    {
        if (!int.TryParse(Environment.GetEnvironmentVariable("ANGARIUM_SEARCH_SEEDS"), CultureInfo.InvariantCulture, out var most)) return;
        foreach (var clause in Enum.GetValues<Breaks>().Where(b => b != Breaks.None))
        {
            var seed = Enumerable.Range(1, most).FirstOrDefault(s => Wrong(s, clause) is not null);
            output.WriteLine($"{clause}: {seed} {(seed > 0 ? Wrong(seed, clause) : "none found")}");
        }
    }

    private static string? Wrong(int seed, Breaks clause)
    {
        var world = new SimWorld(seed, clause);
        world.Run();
        return world.Wrongs.FirstOrDefault();
    }
}
