using System.Runtime.InteropServices;
using Angarium.Chaos;
using Angarium.Chaos.Running;

// Two programs in one executable: `run` breaks a cluster of real processes, anything else is the test runner.
if (args is ["run", ..])
{
    // The first process of a pid namespace has no default action for signals.
    using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, _ => Environment.Exit(130));
    using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, _ => Environment.Exit(143));
    return await Campaign.RunAsync(args[1..]);
}

return await Xunit.MicrosoftTestingPlatform.TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions);
