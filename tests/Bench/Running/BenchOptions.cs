using System.Globalization;
using Angarium.Bench.Load;
using Angarium.TestKit;

namespace Angarium.Bench.Running;

/// <summary>What was asked for. Immutable.</summary>
internal sealed record BenchOptions
{
    public const string Usage = """
        tests/run-bench compare [options]   relays side by side, in interleaved rounds
          --rounds N        (5)
          --relays LIST     of direct, postfix, angarium, cluster-SxE (S silos, E egress, one ingress), angarium@PATH and cluster-SxE@PATH (another build's executable) (the first three); trusted, trusted-tls, submission, submission-verp: what a tenant costs, under the same loader
          --shapes LIST     of those that `tests/run-bench shapes` lists (all)
          --share X         of each shape's messages (1)
          --warm N          messages to one domain before the first shape (2,000); the runtime compiles what is used often for as long as some 20,000
          --picture FILE    the medians as a bar chart (SVG)
          --title TEXT      in that picture: machine and commit
        tests/run-bench beside backlog|slow [options]   this relay with as many deferred messages behind the flow, or with a destination that takes 1 s for each reply, beside one without
          --rounds N        (5)
          --messages N      that are deferred (1,000,000), over 10,000 domains
        tests/run-bench latency [options]   time to 250 and to arrival, beside the bare flush of the disk
          --seconds N       of each load (20)
          --capacity N      messages a second of which 20 % and 80 % are given; 0 = measured first (0)
        tests/run-bench storage [options]   what a cluster asks of blob storage per million messages, at each rate after two minutes of it
          --seconds N       of each rate that count (20)
          --rates LIST      messages a second (1,100,2000)
        tests/run-bench micro [options]     BenchmarkDotNet's own options, as --filter *Scanner*
        all:
          --folder PATH     work folder, on a real disk (artifacts/bench)
        """;

    public int Rounds { get; init; } = 5;

    public IReadOnlyList<string> Relays { get; init; } = ["direct", "postfix", "angarium"];

    public IReadOnlyList<Shape> Shapes { get; init; } = Shape.All;

    public double Share { get; init; } = 1;

    public int WarmUp { get; init; } = 2_000;

    /// <summary>Where the bar chart goes; null = nowhere.</summary>
    public string? Picture { get; init; }

    public string Title { get; init; } = "";

    public int Messages { get; init; } = 1_000_000;

    public double Seconds { get; init; } = 20;

    public double Capacity { get; init; }

    public IReadOnlyList<double> Rates { get; init; } = [1, 100, 2_000];

    public string Folder { get; init; } = Repository.Path("artifacts", "bench");

    public static BenchOptions Parse(IReadOnlyList<string> arguments)
    {
        var options = new BenchOptions();
        for (var i = 0; i < arguments.Count; i++)
        {
            string Value() => ++i < arguments.Count ? arguments[i] : throw new ArgumentException($"{arguments[i - 1]} needs a value");
            double Number() => double.Parse(Value(), CultureInfo.InvariantCulture);
            options = arguments[i] switch
            {
                "--rounds" => options with { Rounds = (int)Number() },
                "--relays" => options with { Relays = Value().Split(',') },
                "--shapes" => options with { Shapes = [.. Value().Split(',').Select(n => Shape.All.FirstOrDefault(s => s.Name == n) ?? throw new ArgumentException($"no shape `{n}`"))] },
                "--share" => options with { Share = Number() },
                "--warm" => options with { WarmUp = (int)Number() },
                "--picture" => options with { Picture = Path.GetFullPath(Value()) },
                "--title" => options with { Title = Value() },
                "--messages" => options with { Messages = (int)Number() },
                "--seconds" => options with { Seconds = Number() },
                "--capacity" => options with { Capacity = Number() },
                "--rates" => options with { Rates = [.. Value().Split(',').Select(r => double.Parse(r, CultureInfo.InvariantCulture))] },
                "--folder" => options with { Folder = Path.GetFullPath(Value()) },
                var other => throw new ArgumentException($"`{other}`?"),
            };
        }

        return options;
    }
}
