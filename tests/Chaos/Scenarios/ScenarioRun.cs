using System.Globalization;
using Angarium.Chaos.Chart;
using Angarium.Chaos.Processes;
using Angarium.Chaos.Running;
using Angarium.TestKit;

namespace Angarium.Chaos.Scenarios;

/// <summary>
/// `scenario NAME [--full]`: one scenario in namespaces of its own. Each step ends with a line `pass STEP` or `FAIL STEP` with its figures. Exit code 0 = all passed; 1 = not;
/// 2 = wrong arguments or the cluster did not start. Its folder keeps books and logs.
/// </summary>
internal static class ScenarioRun
{
    public const string Pass = "pass ", Fail = "FAIL ";

    private static readonly Scenario[] all = [new RedisFails(), new ProcessesAreReplaced(), new TheBacklogIsLarge(), new MemoryOrDiskRunsShort(), new TenantsSend(), new ChartAlone(), new ChartProduction(), new MonitoringAnswers(), new OperatorsOrder()];

    public static async Task<int> RunAsync(IReadOnlyList<string> arguments)
    {
        var isFull = arguments.Contains("--full") || Environment.GetEnvironmentVariable("ANGARIUM_FULL") == "1";
        var name = arguments.FirstOrDefault(a => !a.StartsWith('-'));
        if (Array.Find(all, s => string.Equals(s.GetType().Name, name, StringComparison.OrdinalIgnoreCase)) is not { } scenario)
        {
            await Console.Error.WriteLineAsync($"tests/run-scenarios NAME [--full]; names: {string.Join(", ", all.Select(s => s.GetType().Name))}");
            return 2;
        }

        if (!arguments.Contains("--inside")) return await Campaign.ApartAsync(["scenario", scenario.GetType().Name, "--inside", .. isFull ? (string[])["--full"] : []]);
        _ = Campaign.EndWithParentAsync();
        var folder = Repository.Path("artifacts", "scenarios", scenario.GetType().Name);
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        var stage = new Stage(Directory.CreateDirectory(folder).FullName, isFull);
        try
        {
            await stage.OpenAsync(scenario);
            await scenario.RunAsync(stage);
        }
        catch (Exception e) when (e is TimeoutException or InvalidOperationException)
        {
            stage.Say(e.Message);
            return 2;
        }
        finally
        {
            if (stage.Failures > 0) stage.ShowLogs();
        }

        stage.Say(string.Create(CultureInfo.InvariantCulture, $"{stage.Failures} steps failed; books and logs: {folder}"));
        return stage.Failures > 0 ? 1 : 0;
    }
}
