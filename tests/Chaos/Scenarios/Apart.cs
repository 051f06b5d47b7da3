using System.Runtime.CompilerServices;
using Angarium.Integration.Harness;

namespace Angarium.Chaos.Scenarios;

/// <summary>One run of a scenario, for all tests of a class: each asks what became of its step. Ends with the class, and what it started ends with it.</summary>
public sealed class Apart<TScenario> : IAsyncLifetime
    where TScenario : Scenario
{
    private readonly Child child = new(Environment.ProcessPath!, ["scenario", typeof(TScenario).Name]);

    public async ValueTask InitializeAsync() => await child.ExitAsync(TimeSpan.FromMinutes(20));

    public ValueTask DisposeAsync()
    {
        child.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>The step of the calling test passed.</summary>
    public void Assert([CallerMemberName] string step = "")
    {
        var lines = child.Output.Split('\n');
        if (lines.FirstOrDefault(l => l.Contains(ScenarioRun.Pass + step + ":", StringComparison.Ordinal)) is { } passed)
        {
            if (passed.Contains(": skipped: ", StringComparison.Ordinal)) Xunit.Assert.Skip(passed);
            TestContext.Current.TestOutputHelper?.WriteLine(passed);
            return;
        }

        Xunit.Assert.Fail(child.Output);
    }
}
