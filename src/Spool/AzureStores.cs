using Angarium.Spool.Azure;
using Angarium.Spool.Files;
using Angarium.Spool.Ledger;
using Angarium.Spool.Packs;
using Angarium.Spool.Time;
using Azure;
using Azure.Storage.Blobs.Specialized;
using Microsoft.Extensions.Logging;

namespace Angarium.Spool;

/// <summary>
/// The stores of one process among many, over Azure Blob Storage, as far as its roles have a right to them. Opened at start on one thread; its members may be used from any. On this
/// machine lie only scratch files, which nothing survives in.
/// </summary>
public sealed partial class AzureStores : RelayStores
{
    /// <summary>
    /// At most 40 packs a second: what a month of load costs in requests is bounded. About as long as a request takes there, so that a client waits at most twice as long for its 250, and
    /// packs of 4 MiB still carry 160 MB a second.
    /// </summary>
    public static readonly TimeSpan DefaultSpacing = TimeSpan.FromMilliseconds(25);

    /// <summary>A store that is just being started beside this process is waited for so long.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    /// <summary>Octets of what lies beside what was read, to one of the packs that are kept for their first attempts: commits of several ingress in about a second.</summary>
    private const long NearbyCaches = 4;

    private readonly AzureContainers _containers;
    private readonly MeasuredStoreClock _clock;

    private AzureStores(
        AzureContainers containers, MeasuredStoreClock clock, StoreRights rights, ScratchFolder? scratch, SpoolOptions options, TimeProvider time, ILoggerFactory loggers)
        : base(
            rights, Nearby(new AzurePackStore(containers["spool"], containers["moved"], time, loggers.CreateLogger<AzurePackStore>()), NearbyCaches * options.Cache, time),
            containers["ledger"] is { } ledger ? new AzureLedgerStore(ledger, loggers.CreateLogger<AzureLedgerStore>()) : null, new AzureDocumentStore(containers["ledger"], containers["cluster"], containers["private"]),
            clock, scratch, options, options.Spacing ?? DefaultSpacing, time, loggers) =>
        (_containers, _clock) = (containers, clock);

    private static IPackStore Nearby(IPackStore packs, long cache, TimeProvider time) => cache > 0 ? new NearbyReads(packs, cache, time) : packs;

    /// <summary>Opens the stores; with all rights the containers are made.</summary>
    /// <param name="dataFolder">Where scratch files gather.</param>
    /// <exception cref="StoreUnavailableException">One line says why not.</exception>
    public static async Task<AzureStores> OpenAsync(
        AzureStoreOptions azure, StoreRights rights, string dataFolder, SpoolOptions options, ILoggerFactory loggers, TimeProvider time, CancellationToken cancellationToken)
    {
        if (azure.Validate().Concat(options.Validate()).FirstOrDefault() is { } mistake) throw new StoreUnavailableException(mistake);
        var clock = new MeasuredStoreClock(time, loggers.CreateLogger<MeasuredStoreClock>());
        AzureContainers? containers = null;
        try
        {
            containers = new AzureContainers(azure, new DatePolicy(clock, time));
            var wanted = Wanted(rights).Select(name => containers[name] ?? throw new StoreUnavailableException($"Spool:Containers:{name}: must be given, or Spool:Azure.")).ToList();
            foreach (var container in wanted)
                if (container.Ends is { } end) SpoolInstruments.StorageKeyEnds.WithLabels(container.Name).Set(end.ToUnixTimeSeconds());
            await ReachAsync(containers, wanted, rights, loggers.CreateLogger<AzureStores>(), time, cancellationToken).ConfigureAwait(false);
            var scratch = rights.HasFlag(StoreRights.Create) ? OpenScratch(dataFolder, options, loggers, time) : null;
            var opened = new AzureStores(containers, clock, rights, scratch, options, time, loggers);
            var measured = containers["cluster"] ?? wanted[0];
            clock.Start(token => ProbeAsync(measured, token));
            return opened;
        }
        catch
        {
            clock.Dispose();
            containers?.Dispose();
            throw;
        }
    }

    private protected override ValueTask CloseAsync()
    {
        _clock.Dispose();
        _containers.Dispose();
        return ValueTask.CompletedTask;
    }

    internal static IEnumerable<string> Wanted(StoreRights rights) => AzureStoreOptions.Names.Where(name => name switch
    {
        "spool" => (rights & (StoreRights.Create | StoreRights.ReadPacks)) != 0,
        "moved" => rights.HasFlag(StoreRights.ReadPacks),
        "ledger" => rights.HasFlag(StoreRights.ReadLedger),
        "cluster" => rights.HasFlag(StoreRights.Cluster),
        _ => rights == StoreRights.All,
    });

    private static ScratchFolder OpenScratch(string dataFolder, SpoolOptions options, ILoggerFactory loggers, TimeProvider time)
    {
        var path = Path.GetFullPath(dataFolder);
        if (!MinFree.TryParse(options.MinFree, out var minFree)) throw new StoreUnavailableException($"Spool:MinFree: `{options.MinFree}`");
        try
        {
            LocalFileSystem.Instance.CreateFolder(path);
            return new ScratchFolder(path, new FreeSpace(LocalFileSystem.Instance, path, minFree, time).Watched(), loggers.CreateLogger<ScratchFolder>());
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new StoreUnavailableException($"Data: {path} cannot be used: {failure.Message}", failure);
        }
    }

    /// <summary>Learns whether the store answers and takes this process's credentials: a wrong one is told at the start, not by mail that is refused.</summary>
    private static async Task ReachAsync(
        AzureContainers containers, List<AzureContainer> wanted, StoreRights rights, ILogger logger, TimeProvider time, CancellationToken cancellationToken)
    {
        var since = time.GetTimestamp();
        for (var isFirst = true; ; isFirst = false)
        {
            var container = wanted[0];
            try
            {
                if (rights == StoreRights.All) await containers.CreateAllAsync(cancellationToken).ConfigureAwait(false);
                foreach (var next in wanted)
                {
                    container = next;
                    if (await ProbeAsync(next, cancellationToken).ConfigureAwait(false) is { } refused && IsRefused(refused, next, rights))
                        throw new StoreUnavailableException($"{next.Setting}: the container {next.Name} cannot be used: {AzureErrors.Describe(refused)}.");
                }

                return;
            }
            catch (RequestFailedException refused) when (refused.Status is 400 or 401 or 403 or 404)
            {
                throw new StoreUnavailableException($"{container.Setting}: the containers cannot be made: {AzureErrors.Describe(refused)}.");
            }
            catch (Exception failure) when (AzureErrors.IsFailure(failure, cancellationToken))
            {
                if (time.GetElapsedTime(since) > Patience) throw new StoreUnavailableException($"{container.Setting}: {container.Reads.Uri.Authority}: {AzureErrors.Describe(failure)}.");
                if (isFirst) LogNotReached(logger, container.Reads.Uri.Authority, AzureErrors.Describe(failure));
            }

            await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Who may only create is refused this reading, for its permission alone; a container that is not there yet is for the silos to make.</summary>
    internal static bool IsRefused(RequestFailedException refused, AzureContainer container, StoreRights rights) =>
        refused.Status != 404 && !(refused.Is(403, AzureErrors.PermissionMismatch) && container.Name == "spool" && !rights.HasFlag(StoreRights.ReadPacks));

    /// <summary>One small request, of which the answer matters, not what is there. Null = it was there.</summary>
    private static async Task<RequestFailedException?> ProbeAsync(AzureContainer container, CancellationToken cancellationToken)
    {
        try
        {
            await container.Writes.GetBlobBaseClient("membership").GetPropertiesAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
            return null;
        }
        catch (RequestFailedException refused) when (refused.Status is 400 or 401 or 403 or 404)
        {
            return refused;
        }
    }

    [LoggerMessage(1077, LogLevel.Warning, "{Store}: {Reason}; it is waited for")]
    private static partial void LogNotReached(ILogger logger, string store, string reason);
}
