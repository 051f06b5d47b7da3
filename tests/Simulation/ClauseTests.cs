using System.Globalization;
using System.Text;
using Angarium.Simulation.World;

namespace Angarium.Simulation;

/// <summary>Each clause of the rules is left out on purpose, and its pinned seed notices. ANGARIUM_FIND_PINS=N looks among N seeds, from ANGARIUM_FIRST_SEED (1) on, for new pins and prints them.</summary>
public class ClauseTests(ITestOutputHelper output)
{
    public static TheoryData<string> Pinned => new(Pins.Seeds.Keys.Select(b => b.ToString()));

    [Theory]
    [MemberData(nameof(Pinned))]
    public void Clause_LeftOut_IsNoticed(string clause)
    {
        var breaks = Enum.Parse<Breaks>(clause);
        var seed = Pins.Seeds[breaks];
        Assert.Empty(SimulationTests.Replay(seed, Breaks.None, breaks).Account.Wrongs);
        var wrongs = SimulationTests.Replay(seed, breaks, breaks).Account.Wrongs;
        Assert.True(wrongs.Count > 0 && IsOf(breaks, wrongs[0]), $"seed {seed} does not notice that {clause} is left out; find another with ANGARIUM_FIND_PINS=3500");
        output.WriteLine($"seed {seed}: {wrongs[0]}");
    }

    [Fact]
    public void Clauses_AllOfThem_ArePinnedOrExplained() =>
        Assert.Equal(Enum.GetValues<Breaks>().Where(b => b != Breaks.None).Order(), Pins.Seeds.Keys.Concat(Pins.Unnoticed.Keys).Order());

    [Fact]
    public void Clauses_TestedElsewhere_HaveTheirTest()
    {
        var root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "Angarium.slnx"))) root = Path.GetDirectoryName(root) ?? throw new DirectoryNotFoundException("not in the repository");
        var tests = Directory.EnumerateFiles(Path.Combine(root, "tests", "Unit"), "*.cs", SearchOption.AllDirectories).ToLookup(f => Path.GetFileNameWithoutExtension(f));
        Assert.All(Pins.Elsewhere.Values, test => Assert.Contains(tests[test.Split('.')[0]], file => File.ReadAllText(file).Contains($" {test.Split('.')[1]}(", StringComparison.Ordinal)));
    }

    [Fact]
    public void Pins_WhenAsked_AreFound()
    {
        if (Environment.GetEnvironmentVariable("ANGARIUM_FIND_PINS") is not { } asked)
        {
            Assert.Skip("only when asked: ANGARIUM_FIND_PINS=3500");
            return;
        }

        var found = new StringBuilder("\n");
        var first = int.Parse(Environment.GetEnvironmentVariable("ANGARIUM_FIRST_SEED") ?? "1", CultureInfo.InvariantCulture);
        var only = Environment.GetEnvironmentVariable("ANGARIUM_CLAUSES")?.Split(',');
        foreach (var breaks in Enum.GetValues<Breaks>().Where(b => b != Breaks.None && (only is null || only.Contains(b.ToString()))))
        {
            var others = new List<string>();
            var seed = Enumerable.Range(first, int.Parse(asked, CultureInfo.InvariantCulture)).FirstOrDefault(s => Notices(s, breaks, others));
            found.AppendLine(seed == 0
                ? $"        // {breaks}: none{string.Concat(others.GroupBy(o => o).Select(o => $"; {o.Key} ({o.Count()})"))}"
                : $"        [Breaks.{breaks}] = {seed}, // {SimulationTests.Replay(seed, breaks, breaks).Account.Wrongs[0].Split('\n')[0]}");
            Console.Error.WriteLine(found.ToString().Split('\n')[^2]);
        }

        output.WriteLine(found.ToString());
    }

    private static bool Notices(int seed, Breaks breaks, List<string> others)
    {
        if (SimulationTests.Replay(seed, breaks, breaks).Account.Wrongs is not [{ } wrong, ..]) return false;
        var kept = SimulationTests.Replay(seed, Breaks.None, breaks).Account.Wrongs.FirstOrDefault();
        if (kept is null && IsOf(breaks, wrong)) return true;
        others.Add((kept is null ? "" : "with it: ") + (kept ?? wrong).Split(':')[0]);
        return false;
    }

    /// <summary>Some wrongs speak of one clause alone: they are no proof of another, whose absence only led the seed another way.</summary>
    private static bool IsOf(Breaks breaks, string wrong) =>
        !wrong.StartsWith("fault", StringComparison.Ordinal)
        && (breaks != Breaks.RetryFor || wrong.Contains("committed again", StringComparison.Ordinal))
        && (s_special.FirstOrDefault(s => wrong.Contains(s.Sign, StringComparison.Ordinal)) is not { Clauses: { } clauses } || clauses.Contains(breaks));

    private static readonly (string Sign, Breaks[] Clauses)[] s_special =
    [
        ("connections to", [Breaks.Declared, Breaks.WorkerList, Breaks.OtherSite]), ("held and leased", [Breaks.ControlDocuments]), ("before it was due", [Breaks.IndexFull, Breaks.JudgeIndex, Breaks.LateHandOver]),
        ("answered anew", [Breaks.SessionNumber]), ("knew it durable", [Breaks.ConflictIsSuccess]), ("nothing could be recorded", [Breaks.LedgerHealth]),
        ("expired without", [Breaks.ExpiryNeedsFailure]), ("has killed", [Breaks.LostLeases]), ("committed again", [Breaks.RetryFor]), ("given again", [Breaks.WriterId, Breaks.RetryFor]),
    ];
}
