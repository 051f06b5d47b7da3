using System.Diagnostics;
using System.Globalization;
using Angarium.Simulation.World;

namespace Angarium.Simulation;

/// <summary>
/// The real relay under virtual time and seeded faults keeps its promises. ANGARIUM_SEEDS and ANGARIUM_FIRST_SEED choose the seeds, ANGARIUM_PLAN a clause whose story is likely; a seed that fails prints what happened to the recipient in question.
/// </summary>
public class SimulationTests(ITestOutputHelper output)
{
    /// <summary>What a seed may cost in processor time, in milliseconds, and by how much a busy machine may make it more.</summary>
    private const int Cost = 40, Noise = 3;

    /// <summary>So many seeds that those which the compiler slows down do not count.</summary>
    private const int Warm = 1_000;

    [Fact]
    public void Relay_ManySeeds_KeepsItsPromises()
    {
        var count = Number("ANGARIUM_SEEDS", 3_000);
        var first = Number("ANGARIUM_FIRST_SEED", 1);
        var wrongs = new List<string>();
        var ran = 0;
        long moved = 0, away = 0;
        long steps = 0, recipients = 0, second = 0;
        var clock = Stopwatch.StartNew();
        using var process = Process.GetCurrentProcess();
        var cpu = process.TotalProcessorTime;
        for (var seed = first; seed < first + count && wrongs.Count < 5; seed++)
        {
            var plan = PlanOf(seed);
            var world = Replay(seed, Breaks.None, plan);
            ran++;
            steps += world.Loop.Steps;
            recipients += world.Account.All.Count();
            second += world.Account.Second;
            (moved, away) = (moved + world.Blobs.Moved, away + world.Blobs.MovedAway);
            if (world.Account.Wrongs.Count == 0) continue;
            wrongs.Add($"seed {seed} (ANGARIUM_FIRST_SEED={seed} ANGARIUM_SEEDS=1)" + WrongOf(world, Replay(seed, Breaks.None, plan, isVerbose: true)));
        }

        process.Refresh();
        var spent = (process.TotalProcessorTime - cpu).TotalMilliseconds / Math.Max(1, ran);
        output.WriteLine($"{ran} seeds, {steps} steps, {recipients} recipients, {second} allowed second copies, {moved} packs moved, {away} deleted for it, {clock.Elapsed.TotalSeconds:f1} s, {spent:f0} ms of processor a seed");
        Assert.True(wrongs.Count == 0, string.Join("\n", wrongs));
        Assert.True(recipients > ran * 30L, "the simulation carried hardly any mail");
        Assert.True(ran < Warm || spent <= Cost * Noise, $"a seed costs {spent:f0} ms of processor, more than {Noise} times the {Cost} ms that it should: something in the machines or the simulation has become slow, or this machine is far too busy to tell");
    }

    /// <summary>With a second egress pool: no promise is broken for it, and what is granted to a pool's sessions is of its tenants, also of one that moves between the two.</summary>
    [Fact]
    public void Relay_WithTwoPools_KeepsItsPromises()
    {
        var (first, count) = (Number("ANGARIUM_FIRST_SEED", 1), Math.Min(Number("ANGARIUM_SEEDS", 300), 300));
        var (wrongs, moves) = (new List<string>(), 0);
        for (var seed = first; seed < first + count && wrongs.Count < 5; seed++)
        {
            var world = Replay(seed, Breaks.None, hasPools: true);
            moves += world.Moves;
            if (world.Account.Wrongs.Count > 0) wrongs.Add($"seed {seed}" + WrongOf(world, Replay(seed, Breaks.None, isVerbose: true, hasPools: true)));
        }

        Assert.True(wrongs.Count == 0, string.Join("\n", wrongs));
        Assert.True(moves >= count, $"a tenant moved {moves} times in {count} worlds");
    }

    /// <summary>As the replay tells it, with all that happened. What does not come again was not the seed's work alone, which is wrong too.</summary>
    private static string WrongOf(SimWorld world, SimWorld again) =>
        again.Account.Wrongs.Count > 0 ? $": {again.Account.Wrongs[0]}" : $" ({world.Loop.Steps} steps, and {again.Loop.Steps} without it when replayed): {world.Account.Wrongs[0]}";

    /// <summary>Every tenth seed lives through the story of some clause.</summary>
    private static Breaks PlanOf(int seed) =>
        Environment.GetEnvironmentVariable("ANGARIUM_PLAN") is { } asked ? Enum.Parse<Breaks>(asked)
        : seed % 10 == 0 ? (Breaks)(seed / 10 % Enum.GetValues<Breaks>().Length)
        : Breaks.None;

    [Fact]
    public void Seed_RunTwice_TakesTheSameSteps()
    {
        var (first, count) = (Number("ANGARIUM_FIRST_SEED", 1), Number("ANGARIUM_SEEDS", 40));
        var wrongs = new List<string>();
        for (var seed = first; seed < first + count && wrongs.Count < 5; seed++)
        {
            if (Environment.GetEnvironmentVariable("ANGARIUM_TRACE") is not null) Compare(seed);
            var (one, other) = (Replay(seed, Breaks.None, PlanOf(seed)), Replay(seed, Breaks.None, PlanOf(seed), isVerbose: true));
            if ((one.Loop.Steps, one.Loop.Trail) != (other.Loop.Steps, other.Loop.Trail))
                wrongs.Add($"seed {seed}: {one.Loop.Steps} and {other.Loop.Steps} steps; {one.Account.Wrongs.Concat(other.Account.Wrongs).FirstOrDefault() ?? "nothing wrong"}");
        }

        Assert.True(wrongs.Count == 0, string.Join("\n", wrongs));
    }

    private static void Compare(int seed)
    {
        List<string>[] traces = [[], []];
        foreach (var trace in traces)
        {
            Spool.Turns.Captured = true;
            var world = new SimWorld(seed, Breaks.None, PlanOf(seed));
            world.Loop.Trace = trace;
            world.Run();
        }

        for (var i = 0; i < traces[0].Count && i < traces[1].Count; i++)
            if (traces[0][i] != traces[1][i]) Assert.Fail($"seed {seed} step {i}:\n" + string.Join("\n", traces[0].Skip(i - 5).Take(10)) + "\n---\n" + string.Join("\n", traces[1].Skip(i - 5).Take(10)));
    }

    internal static SimWorld Replay(int seed, Breaks breaks, Breaks plan = Breaks.None, bool isVerbose = false, bool hasPools = false)
    {
        Spool.Turns.Captured = true;
        var world = new SimWorld(seed, breaks, plan, isVerbose, hasPools);
        world.Run();
        return world;
    }

    private static int Number(string name, int otherwise) => int.Parse(Environment.GetEnvironmentVariable(name) ?? otherwise.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
}
