using System.Runtime.InteropServices;
using Angarium.Chaos;
using Angarium.Chaos.Running;
using Angarium.Chaos.Scenarios;

// Three programs in one executable: `run` breaks a cluster of real processes, `scenario` shows what one does, anything else is the test runner.
if (args is ["run" or "scenario", ..])
{
    // The first process of a pid namespace has no default action for signals.
    using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, _ => Environment.Exit(130));
    using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, _ => Environment.Exit(143));
    return args[0] == "run" ? await Campaign.RunAsync(args[1..]) : await ScenarioRun.RunAsync(args[1..]);
}

return await Xunit.MicrosoftTestingPlatform.TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions);
