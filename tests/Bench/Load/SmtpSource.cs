using System.Globalization;
using Angarium.Bench.Machine;
using Angarium.Integration.Harness;

namespace Angarium.Bench.Load;

/// <summary>Postfix's smtp-source: one domain, one recipient, no pipelining.</summary>
internal sealed class SmtpSource : ILoad
{
    public async Task<double> RunAsync(int port, Shape shape, int messages, CancellationToken stop)
    {
        string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
        using var self = System.Diagnostics.Process.GetCurrentProcess();
        var before = ProcessTree.CpuOf(self.Id) - self.TotalProcessorTime.TotalSeconds;
        using var process = new Child(Tools.Path("smtp-source"),
        [
            "-4", "-s", Text(shape.Sessions), "-l", Text(shape.Size), "-m", Text(messages), "-M", "localhost", "-f", "load@bench.test", "-t", "sink@sink.test",
            .. shape.Reuse ? (string[])["-d"] : [], $"127.0.0.1:{port}",
        ]);
        await using var end = stop.Register(() => process.Signal(Signal.Kill));
        var code = await process.Exited;
        if (code != 0) throw new InvalidOperationException($"smtp-source ended with {code}: {process.Output}");
        self.Refresh();
        // What this process has waited for, its own time taken off.
        return ProcessTree.CpuOf(self.Id) - self.TotalProcessorTime.TotalSeconds - before;
    }
}
