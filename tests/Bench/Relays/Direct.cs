namespace Angarium.Bench.Relays;

/// <summary>No relay: the load goes straight to the sink. The ceiling of the tools.</summary>
internal sealed class Direct : IRelay
{
    public string Name => "direct";

    public double Share => 1;

    public int Port { get; private set; }

    public IReadOnlyCollection<int> Roots => [];

    public Task StartAsync(int sinkPort, string folder)
    {
        Port = sinkPort;
        return Task.CompletedTask;
    }

    public Task<IReadOnlyDictionary<string, double>> CountersAsync() => Task.FromResult<IReadOnlyDictionary<string, double>>(new Dictionary<string, double>());

    public ValueTask DisposeAsync() => default;
}
