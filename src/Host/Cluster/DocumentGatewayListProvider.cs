using Orleans.Messaging;

namespace Angarium.Host.Cluster;

/// <summary>
/// The gateways of the cluster, for its clients: the active silos with a gateway port. Reads the document and never writes it. When none is listed it throws, and Orleans keeps the list it
/// has: a document that is away for a moment must not cut a client off from silos that live. But first it looks again a few times: silos that all start anew are waited for. Called by Orleans on
/// any thread.
/// </summary>
internal sealed class DocumentGatewayListProvider(MembershipStore store, TimeProvider time) : IGatewayListProvider
{
    private static readonly TimeSpan s_again = TimeSpan.FromMilliseconds(500);

    public TimeSpan MaxStaleness => ClusterTuning.GatewayRefresh;

    [Obsolete("Not used any more; the interface still has it.")]
    public bool IsUpdatable => true;

    public Task InitializeGatewayListProvider() => Task.CompletedTask;

    public async Task<IList<Uri>> GetGateways()
    {
        for (var since = time.GetTimestamp(); ; await Task.Delay(s_again, time))
        {
            var document = await store.ReadAsync() ?? throw new IOException($"The document {MembershipDocument.Name} is not there");
            var gateways = document.Silos.Where(row => row.Status == SiloStatus.Active && row.Gateway > 0).Select(Gateway).ToList();
            if (gateways.Count > 0) return gateways;
            if (time.GetElapsedTime(since) >= ClusterTuning.GatewayRefresh) throw new IOException($"The document {MembershipDocument.Name} lists no silo with a gateway");
        }
    }

    private static Uri Gateway(MembershipRow row)
    {
        var silo = SiloAddress.FromParsableString(row.Silo);
        return SiloAddress.New(silo.Endpoint.Address, row.Gateway, silo.Generation).ToGatewayUri();
    }
}
