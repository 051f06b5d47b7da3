using System.Diagnostics;
using System.Text.Json;
using Angarium.Chaos.Faults;

namespace Angarium.Chaos.Running;

/// <summary>
/// `run`: one process for each seed, in namespaces of its own (network, mounts, process ids), so that whatever happens to it, all it started and made goes with it. Sums
/// up at the end. Exit code 0 = every account clean and every kind that was dealt has struck; 1 = not; 2 = wrong arguments or the environment.
/// </summary>
internal static class Campaign
{
    public static async Task<int> RunAsync(IReadOnlyList<string> arguments)
    {
        RunOptions options;
        IReadOnlyList<Fault> kinds;
        try
        {
            options = RunOptions.Parse(arguments);
            kinds = FaultKinds.Choose(options.Faults, options.IsAlone);
        }
        catch (Exception e) when (e is ArgumentException or FormatException)
        {
            Console.Error.WriteLine(e.Message + "\n" + RunOptions.Usage);
            return 2;
        }

        if (options.IsInside)
        {
            _ = EndWithParentAsync();
            return await ChaosRun.RunAsync(options, kinds);
        }

        var results = new List<Result>();
        var failed = 0;
        for (var seed = options.Seed; seed < options.Seed + options.Seeds; seed++)
        {
            var one = options with { Seed = seed, IsInside = true };
            if (Directory.Exists(one.Folder)) Directory.Delete(one.Folder, recursive: true);
            var code = await ApartAsync(["run", .. one.Arguments]);
            if (code != 0) failed++;
            var file = ChaosRun.ResultFile(one.Folder);
            if (File.Exists(file)) results.Add(JsonSerializer.Deserialize<Result>(await File.ReadAllTextAsync(file))!);
        }

        return Sum(options, kinds, results, failed);
    }

    private static int Sum(RunOptions options, IReadOnlyList<Fault> kinds, List<Result> results, int failed)
    {
        var faults = results.SelectMany(r => r.Faults).GroupBy(f => f.Key).ToDictionary(g => g.Key, g => g.Sum(f => f.Value));
        if (options.Seeds > 1)
        {
            Console.WriteLine("\n   seed  acknowledged  delivered  bounced  unanswered  lost  doubled  wrongly  faults");
            foreach (var r in results)
                Console.WriteLine($"  {r.Seed,5}  {r.Acknowledged,12}  {r.Delivered,9}  {r.Bounced,7}  {r.Unknown,10}  {r.Lost,4}  {r.Doubled,7}  {r.DoubledWrongly,7}  {r.Faults.Values.Sum(),6}{(r.IsClean ? "" : "  FAILED")}");
            Console.WriteLine("  faults: " + string.Join(", ", faults.OrderBy(f => f.Key, StringComparer.Ordinal).Select(f => $"{f.Key} {f.Value}")));
        }

        var never = Never(options, kinds, faults);
        if (never.Count > 0) Console.WriteLine($"never struck: {string.Join(", ", never)}");
        Console.WriteLine($"\n{options.Seeds - failed} of {options.Seeds} {(options.Seeds == 1 ? "run" : "runs")} clean, {results.Sum(r => r.Acknowledged)} acknowledged, {results.Sum(r => r.Lost)} lost");
        return failed > 0 || never.Count > 0 || results.Count < options.Seeds ? 1 : 0;
    }

    /// <summary>What the seeds were dealt and did not strike, whatever their results say of it. Of seeds enough for two decks that is any kind that was chosen.</summary>
    internal static IReadOnlyList<string> Never(RunOptions options, IReadOnlyList<Fault> kinds, IReadOnlyDictionary<string, int> struck) =>
    [
        .. Enumerable.Range(options.Seed, options.Seeds).SelectMany(seed => Storm.Deal(kinds, seed, Storm.Cards(TimeSpan.FromMinutes(options.Minutes), options.Every)))
            .Select(kind => kind.Name).Distinct().Where(name => struck.GetValueOrDefault(name) == 0).Order(StringComparer.Ordinal),
    ];

    /// <summary>This executable with other arguments, in namespaces of its own.</summary>
    public static async Task<int> ApartAsync(IEnumerable<string> arguments)
    {
        // --kill-child: with the wrapper dies the first process of the pid namespace, and with that all others in it.
        var start = new ProcessStartInfo("unshare") { RedirectStandardInput = true };
        foreach (var argument in (string[])["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--", Environment.ProcessPath!, .. arguments]) start.ArgumentList.Add(argument);
        using var process = Process.Start(start) ?? throw new InvalidOperationException("unshare did not start");
        await process.WaitForExitAsync();
        return process.ExitCode;
    }

    /// <summary>The pipe from the campaign closes when that ends, in whatever way.</summary>
    public static async Task EndWithParentAsync()
    {
        await using var pipe = Console.OpenStandardInput();
        while (await pipe.ReadAsync(new byte[16]) > 0)
        {
            // Nobody writes.
        }

        Environment.Exit(3);
    }
}
