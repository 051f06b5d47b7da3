using Angarium.TestKit;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

namespace Angarium.Bench.Micro;

/// <summary>The benchmarks of single parts, by BenchmarkDotNet, in this process: a project of its own for each would have to be built first. No state.</summary>
internal static class MicroRun
{
    /// <summary>With `--smoke` each runs once, to see that it runs; nothing is measured, and its report speaks of failures alone.</summary>
    public static int Run(IReadOnlyList<string> arguments)
    {
        var isSmoke = arguments.Contains("--smoke");
        string[] rest = [.. arguments.Where(a => a != "--smoke")];
        if (!rest.Contains("--filter")) rest = ["--filter", "*", .. rest];
        var log = new AccumulationLogger();
        var config = isSmoke ? ManualConfig.CreateEmpty().AddLogger(log).AddColumnProvider(DefaultColumnProviders.Instance) : ManualConfig.Create(DefaultConfig.Instance);
        config.AddJob((isSmoke ? Job.Dry : Job.Default).WithToolchain(InProcessEmitToolchain.Instance)).WithArtifactsPath(Repository.Path("artifacts", "bench", "micro"));
        var reports = BenchmarkSwitcher.FromAssembly(typeof(MicroRun).Assembly).Run(rest, config).SelectMany(s => s.Reports).ToList();
        var failed = reports.Count(r => !r.Success);
        if (isSmoke && (failed > 0 || reports.Count == 0)) Console.WriteLine(log.GetLog());
        Console.WriteLine($"  failed: {failed}\n  succeeded: {reports.Count - failed}");
        return failed == 0 && reports.Count > 0 ? 0 : 1;
    }
}
