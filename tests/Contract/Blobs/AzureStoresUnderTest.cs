using Angarium.Spool;
using Angarium.Spool.Azure;
using Angarium.Spool.Documents;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;
using Angarium.TestKit.Servers;
using Microsoft.Extensions.Logging.Abstractions;

namespace Angarium.Contract.Blobs;

/// <summary>Containers of one test's own on the emulator of this process, and providers over them: each as a process of its own would have it.</summary>
internal sealed class AzureStoresUnderTest : IAsyncDisposable
{
    private readonly List<AzureContainers> _opened = [];

    private AzureStoresUnderTest(string connection) => Options = new AzureStoreOptions { Account = connection, Prefix = "t" + Guid.NewGuid().ToString("n")[..12] };

    public AzureStoreOptions Options { get; }

    public static async Task<AzureStoresUnderTest> CreateAsync()
    {
        var stores = new AzureStoresUnderTest((await Azurite.SharedAsync()).ConnectionString);
        await stores.Open(stores.Options).CreateAllAsync(CancellationToken.None);
        return stores;
    }

    /// <summary>What processes with the role, or several with commas, are given.</summary>
    public AzureStoreOptions KeysOf(string role, TimeSpan? validFor = null) => new()
    {
        Prefix = Options.Prefix, Containers = AzureRoleKeys.Make(Options.Account, Options.Prefix, role.Split(','), DateTimeOffset.UtcNow + (validFor ?? TimeSpan.FromHours(1))),
    };

    public AzureContainers Open(AzureStoreOptions options, RequestSpy? spy = null)
    {
        var containers = spy is null ? new AzureContainers(options) : new AzureContainers(options, spy);
        _opened.Add(containers);
        return containers;
    }

    public IPackStore Packs(AzureStoreOptions? options = null, RequestSpy? spy = null)
    {
        var containers = Open(options ?? Options, spy);
        return new AzurePackStore(containers["spool"], containers["moved"], TimeProvider.System, NullLogger.Instance);
    }

    public ILedgerStore Ledger(AzureStoreOptions? options = null, RequestSpy? spy = null) => new AzureLedgerStore(Open(options ?? Options, spy)["ledger"]!, NullLogger.Instance);

    public IDocumentStore Documents(AzureStoreOptions? options = null, RequestSpy? spy = null)
    {
        var containers = Open(options ?? Options, spy);
        return new AzureDocumentStore(containers["ledger"], containers["cluster"], containers["private"]);
    }

    public ValueTask DisposeAsync()
    {
        foreach (var containers in _opened) containers.Dispose();
        return ValueTask.CompletedTask;
    }
}
