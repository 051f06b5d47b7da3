using System.IO.Hashing;
using System.Text;
using Angarium.Contracts.Tenants;
using Angarium.Grains.Membership;
using Angarium.Mail.Tenants;
using Angarium.Spool.Documents;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains.Tenants;

/// <summary>
/// Wakes the grain of every tenant of this silo's share (by rendezvous hash) twice an hour, so that the records of its domains are looked at again also while nobody sends or asks. A background
/// service; no state that a crash could lose.
/// </summary>
internal sealed partial class TenantsWatch(IGrainFactory grains, IDocumentStore documents, ISilos silos, TimeProvider time, ILogger<TenantsWatch> log) : BackgroundService
{
    private const string Prefix = "tenants/";
    private const int Concurrency = 8;

    private static readonly TimeSpan s_interval = TimeSpan.FromMinutes(30);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(s_interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await PassAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogFailed(log, e.Message);
            }
        }
    }

    internal async Task PassAsync(CancellationToken stoppingToken)
    {
        var names = await documents.ListAsync(Prefix, stoppingToken);
        var mine = names.Select(name => name[Prefix.Length..]).Where(tenant => TenantName.IsTenant(tenant) && silos.IsMine(XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(Prefix + tenant))));
        await Parallel.ForEachAsync(mine, new ParallelOptions { MaxDegreeOfParallelism = Concurrency, CancellationToken = stoppingToken }, async (tenant, _) =>
        {
            try
            {
                await grains.GetGrain<ITenantAdmin>(tenant).Read();
            }
            catch (Exception e) when (e is IOException or TimeoutException or InvalidDataException or OrleansException)
            {
                // The others are woken all the same, and this one half an hour later.
                LogFailed(log, e.Message);
            }
        });
    }

    [LoggerMessage(2870, LogLevel.Warning, "Tenants cannot be looked at now, and are in half an hour: {Error}")]
    private static partial void LogFailed(ILogger logger, string error);
}
