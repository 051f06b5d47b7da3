using Angarium.Grains.Membership;
using Angarium.Grains.View;
using Angarium.Host.Configuration;
using Angarium.Spool;
using Angarium.Spool.Files;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Angarium.Host.Serving;

/// <summary>
/// The stores of this process, opened before anything else is built (the lock on `Data` comes first), and a silo's stream of the ledger, whose durable records go to the view before they
/// are acknowledged. Closed last.
/// </summary>
internal sealed class OpenStores : IAsyncDisposable
{
    private readonly ProcessPlan _plan;
    private readonly HashSet<ulong> _earlier;
    private readonly DataFolder? _folder;
    private LedgerFeed? _feed;
    private ISilos? _silos;
    private IStanding? _standing;

    /// <param name="folder">Held by the stores themselves when they are in it.</param>
    private OpenStores(ProcessPlan plan, RelayStores stores, HashSet<ulong> earlier, DataFolder? folder)
    {
        (_plan, Stores, _earlier, _folder) = (plan, stores, earlier, folder);
        if (!plan.IsSilo) return;
        Ledger = stores.CreateLedger(
            (stream, end, records) => _feed!.OnDurable(stream, end, records), plan.IsAlone ? null : () => _silos!.Own, plan.IsAlone ? null : () => _standing!.ConfirmAsync(CancellationToken.None));
    }

    public RelayStores Stores { get; }

    /// <summary>Null = this process hosts no grains.</summary>
    public LedgerWriter? Ledger { get; }

    /// <exception cref="Spool.Files.StoreUnavailableException">In one line, why not.</exception>
    public static async Task<OpenStores> OpenAsync(ProcessPlan plan, StoreSettings settings, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var data = plan.Options.Data;
        if (!plan.IsAlone)
        {
            var folder = DataFolder.OpenWithoutStores(data);
            try
            {
                var azure = await AzureStores.OpenAsync(settings.ToAzureOptions(), plan.Rights, data, settings.ToOptions(), loggers, TimeProvider.System, cancellationToken);
                return new OpenStores(plan, azure, [], folder);
            }
            catch
            {
                folder.Dispose();
                throw;
            }
        }

        var embedded = await EmbeddedStores.OpenAsync(data, settings.ToOptions(), loggers, TimeProvider.System, cancellationToken);
        var earlier = new HashSet<ulong>();
        await foreach (var pack in embedded.Packs.ListAsync(cancellationToken)) earlier.Add(pack.Name.Writer);
        return new OpenStores(plan, embedded, earlier, null);
    }

    /// <summary>Whether packs of that writer lay here when this process started: nobody hands them over any more (design rule 16). In a cluster that is never known.</summary>
    public bool IsEarlier(ulong writer) => _earlier.Contains(writer);

    public void AddTo(IServiceCollection services)
    {
        services.AddSingleton(Stores.Clock);
        if (_plan.IsSilo || _plan.RunsEgress) services.AddSingleton(Stores.Reader);
        if (_plan.IsSilo || _plan.RunsIngress)
        {
            services.AddSingleton(Stores.Scratch);
            services.AddSingleton<ISpoolWriter>(Stores.Writer);
        }

        if (Ledger is null) return;
        services.AddSingleton(Stores.Packs);
        services.AddSingleton(Stores.LedgerStore);
        services.AddSingleton(Stores.Documents);
        services.AddSingleton(Stores.Mover);
        services.AddSingleton<ILedger>(Ledger);
    }

    /// <summary>Joins the stores with what listens to them; before the first commit and append.</summary>
    public void Start(IServiceProvider services)
    {
        (_feed, _silos, _standing) = (services.GetService<LedgerFeed>(), services.GetService<ISilos>(), services.GetService<IStanding>());
        if (_plan.IsSilo || _plan.RunsIngress) Stores.Writer.Listener = services.GetService<ICommitListener>();
    }

    public async ValueTask DisposeAsync()
    {
        if (Ledger is not null) await Ledger.DisposeAsync();
        await Stores.DisposeAsync();
        _folder?.Dispose();
    }
}
