namespace Angarium.Bench.Load;

/// <summary>Something that sends a shape's messages to a port.</summary>
internal interface ILoad
{
    /// <summary>Sends all and returns the processor seconds that it took itself; throws when one was not acknowledged.</summary>
    Task<double> RunAsync(int port, Shape shape, int messages, CancellationToken stop);
}
