using System.Globalization;
using Angarium.TestKit;

namespace Angarium.Chaos.Running;

/// <summary>What `run` was asked for. Immutable.</summary>
internal sealed record RunOptions
{
    public const string Usage = """
        tests/run-chaos [options]
          --minutes N     length of the load (2)
          --seed N        what strikes and when; the first of several (1)
          --seeds N       how many seeds, one after the other (1)
          --faults LIST   kinds, or beginnings of their names: `kill,redis-flush`; `all`, `none` (all)
          --every N       seconds between two faults on average (20)
          --rate N        messages a second (40)
          --patience N    seconds without any arrival after the load until what is missing is lost (150)
          --linger N      seconds to wait for late second copies when all has arrived (45)
          --alone         one process with all roles and its own stores, instead of a cluster
          --out FOLDER    for logs and books (artifacts/chaos)
        """;

    public double Minutes { get; init; } = 2;

    public int Seed { get; init; } = 1;

    public int Seeds { get; init; } = 1;

    public string Faults { get; init; } = "all";

    public double Every { get; init; } = 20;

    public double Rate { get; init; } = 40;

    public double Patience { get; init; } = 150;

    public double Linger { get; init; } = 45;

    public bool IsAlone { get; init; }

    public string Out { get; init; } = Repository.Path("artifacts", "chaos");

    /// <summary>Already in namespaces of its own.</summary>
    public bool IsInside { get; init; }

    public string Folder => Path.Combine(Path.GetFullPath(Out), Seed.ToString(CultureInfo.InvariantCulture));

    public IEnumerable<string> Arguments =>
    [
        "--minutes", Text(Minutes), "--seed", Text(Seed), "--faults", Faults, "--every", Text(Every), "--rate", Text(Rate), "--patience", Text(Patience), "--linger", Text(Linger), "--out", Out,
        .. IsAlone ? (string[])["--alone"] : [], .. IsInside ? (string[])["--inside"] : [],
    ];

    public static RunOptions Parse(IReadOnlyList<string> arguments)
    {
        var options = new RunOptions();
        for (var i = 0; i < arguments.Count; i++)
        {
            string Value() => ++i < arguments.Count ? arguments[i] : throw new ArgumentException($"{arguments[i - 1]} needs a value");
            double Number() => double.Parse(Value(), CultureInfo.InvariantCulture);
            options = arguments[i] switch
            {
                "--minutes" => options with { Minutes = Number() },
                "--seed" => options with { Seed = (int)Number() },
                "--seeds" => options with { Seeds = (int)Number() },
                "--faults" => options with { Faults = Value() },
                "--every" => options with { Every = Number() },
                "--rate" => options with { Rate = Number() },
                "--patience" => options with { Patience = Number() },
                "--linger" => options with { Linger = Number() },
                "--out" => options with { Out = Value() },
                "--alone" => options with { IsAlone = true },
                "--inside" => options with { IsInside = true },
                var other => throw new ArgumentException($"`{other}`?"),
            };
        }

        return options;
    }

    private static string Text(double number) => number.ToString(CultureInfo.InvariantCulture);
}
