using Angarium.Spool;
using Angarium.Spool.Azure;
using Angarium.Spool.Documents;
using Angarium.TestKit.Servers;

namespace Angarium.Integration.Cluster;

/// <summary>The membership table over documents as blobs, on the emulator of this process.</summary>
public sealed class AzureMembershipTableTests : MembershipTableContract, IAsyncLifetime
{
    private AzureContainers _containers = null!;
    private AzureDocumentStore _documents = null!;

    protected override IDocumentStore Documents => _documents;

    public async ValueTask InitializeAsync()
    {
        _containers = new AzureContainers(new AzureStoreOptions { Account = (await Azurite.SharedAsync()).ConnectionString, Prefix = "t" + Guid.NewGuid().ToString("n")[..12] });
        await _containers.CreateAllAsync(CancellationToken.None);
        _documents = new AzureDocumentStore(_containers["ledger"], _containers["cluster"], _containers["private"]);
    }

    public ValueTask DisposeAsync()
    {
        _containers.Dispose();
        return ValueTask.CompletedTask;
    }
}
