using Angarium.Bench.Load;
using Angarium.Bench.Micro;
using Angarium.Bench.Running;

// One program for all that is measured by hand; see tests/run-bench.
switch (args)
{
    case ["compare", .. var rest]:
        return await Comparison.RunAsync(rest);
    case ["beside", "backlog" or "slow", .. var rest]:
        return await Beside.RunAsync(args[1] == "slow", rest);
    case ["latency", .. var rest]:
        return await Latency.RunAsync(rest);
    case ["storage", .. var rest]:
        return await StorageCost.RunAsync(rest);
    case ["micro", .. var rest]:
        return MicroRun.Run(rest);
    case ["shapes"]:
        foreach (var shape in Shape.All) Console.WriteLine($"{shape.Name,-14}  {shape.Text}");
        return 0;
    default:
        Console.WriteLine(BenchOptions.Usage);
        return args is [] or ["--help"] ? 0 : 2;
}
