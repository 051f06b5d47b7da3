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

    /// <summary>One seed at least notices.</summary>
    [Theory]
    [MemberData(nameof(Clauses))]
    public void Clause_BrokenOnPurpose_IsNoticed(string clause)
    {
        var broken = Enum.Parse<Breaks>(clause);
        for (var seed = 1; seed <= 2_000; seed++)
        {
            if (Wrong(seed, broken) is not { } wrong) continue;
            output.WriteLine($"seed {seed}: {wrong}");
            return;
        }

        Assert.Fail("no seed notices");
    }

    public static TheoryData<string> Clauses => new(Enum.GetNames<Breaks>().Where(n => n != nameof(Breaks.None)));

    private static string? Wrong(int seed, Breaks clause)
    {
        var world = new SimWorld(seed, clause);
        world.Run();
        return world.Wrongs.FirstOrDefault();
    }
}
