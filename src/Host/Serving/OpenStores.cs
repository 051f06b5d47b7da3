using Angarium.Spool;
using Angarium.Spool.Documents;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;
using Angarium.Spool.Time;
using Angarium.Grains.View;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Angarium.Host.Serving;

/// <summary>
/// The stores of this process, opened before anything else is built (the lock on `Data` comes first), and this process's stream of the ledger, whose durable
/// records go to the view before they are acknowledged. Closed last.
/// </summary>
internal sealed class OpenStores : IAsyncDisposable
{
    private readonly HashSet<ulong> _earlier;
    private LedgerFeed? _feed;

    private OpenStores(EmbeddedStores stores, HashSet<ulong> earlier)
    {
        Stores = stores;
        _earlier = earlier;
        Ledger = stores.CreateLedger((stream, end, records) => _feed!.OnDurable(stream, end, records));
    }

    public EmbeddedStores Stores { get; }

    public LedgerWriter Ledger { get; }

    /// <exception cref="Spool.Files.StoreUnavailableException">In one line, why not.</exception>
    public static async Task<OpenStores> OpenAsync(string data, SpoolOptions options, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var stores = await EmbeddedStores.OpenAsync(data, options, loggers, TimeProvider.System, cancellationToken);
        var earlier = new HashSet<ulong>();
        await foreach (var pack in stores.Packs.ListAsync(cancellationToken)) earlier.Add(pack.Name.Writer);
        return new OpenStores(stores, earlier);
    }

    /// <summary>Whether packs of that writer lay here when this process started: nobody hands them over any more (design rule 16).</summary>
    public bool IsEarlier(ulong writer) => _earlier.Contains(writer);

    public void AddTo(IServiceCollection services)
    {
        services.AddSingleton(Stores.Packs);
        services.AddSingleton(Stores.LedgerStore);
        services.AddSingleton(Stores.Documents);
        services.AddSingleton(Stores.Reader);
        services.AddSingleton(Stores.Mover);
        services.AddSingleton(Stores.Scratch);
        services.AddSingleton(Stores.Clock);
        services.AddSingleton<ISpoolWriter>(Stores.Writer);
        services.AddSingleton<ILedger>(Ledger);
    }

    /// <summary>Joins the stores with what listens to them; before the first commit and append.</summary>
    public void Start(IServiceProvider services)
    {
        _feed = services.GetRequiredService<LedgerFeed>();
        Stores.Writer.Listener = services.GetService<ICommitListener>();
    }

    public async ValueTask DisposeAsync()
    {
        await Ledger.DisposeAsync();
        await Stores.DisposeAsync();
    }
}
