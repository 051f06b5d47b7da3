using Orleans.Messaging;

namespace Angarium.Host.Cluster;

/// <summary>
/// The gateways of the cluster, for its clients: the active silos with a gateway port. Reads the document and never writes it. When none is listed it throws, and Orleans keeps the list it
/// has: a document that is away for a moment must not cut a client off from silos that live. Called by Orleans on any thread.
/// </summary>
internal sealed class DocumentGatewayListProvider(MembershipStore store) : IGatewayListProvider
{
    public TimeSpan MaxStaleness => ClusterTuning.GatewayRefresh;

    [Obsolete("Not used any more; the interface still has it.")]
    public bool IsUpdatable => true;

    public Task InitializeGatewayListProvider() => Task.CompletedTask;

    public async Task<IList<Uri>> GetGateways()
    {
        var document = await store.ReadAsync() ?? throw new IOException($"The document {MembershipDocument.Name} is not there");
        var gateways = document.Silos.Where(row => row.Status == SiloStatus.Active && row.Gateway > 0).Select(Gateway).ToList();
        return gateways.Count > 0 ? gateways : throw new IOException($"The document {MembershipDocument.Name} lists no silo with a gateway");
    }

    private static Uri Gateway(MembershipRow row)
    {
        var silo = SiloAddress.FromParsableString(row.Silo);
        return SiloAddress.New(silo.Endpoint.Address, row.Gateway, silo.Generation).ToGatewayUri();
    }
}
