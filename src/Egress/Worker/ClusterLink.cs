using Orleans.Core;

namespace Angarium.Egress.Worker;

/// <summary>
/// What the client of the cluster knows of its connections to gateways: a call that was on one when it broke may never be answered, and without any no call gets anywhere. Told by Orleans on any
/// thread; where silo and egress are one process, never. Nothing survives a crash.
/// </summary>
internal sealed class ClusterLink : IClusterConnectionStatusObserver, IDisposable
{
    private CancellationTokenSource broken = new();
    private volatile bool isCut;

    /// <summary>There is no connection.</summary>
    public bool IsCut => isCut;

    /// <summary>Cancelled when the next connection breaks.</summary>
    public CancellationToken Broken => Volatile.Read(ref broken).Token;

    public void NotifyGatewayCountChanged(int currentNumberOfGateways, int previousNumberOfGateways, bool connectionRecovered)
    {
        isCut = currentNumberOfGateways == 0;
        if (currentNumberOfGateways < previousNumberOfGateways) Break();
    }

    public void NotifyClusterConnectionLost()
    {
        isCut = true;
        Break();
    }

    public void Dispose() => broken.Dispose();

    private void Break()
    {
        // Whoever waits goes on on a thread of its own: this one is Orleans' and has a connection to mend.
        _ = Interlocked.Exchange(ref broken, new CancellationTokenSource()).CancelAsync();
    }
}
