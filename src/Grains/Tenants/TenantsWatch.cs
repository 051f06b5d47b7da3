using System.IO.Hashing;
using System.Text;
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
/// <param name="wake">Asks the tenant's grain for something.</param>
internal sealed partial class TenantsWatch(Func<string, Task> wake, IDocumentStore documents, ISilos silos, TimeProvider time, ILogger<TenantsWatch> log) : BackgroundService
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
        var (failed, error) = (0, "");
        await Parallel.ForEachAsync(mine, new ParallelOptions { MaxDegreeOfParallelism = Concurrency, CancellationToken = stoppingToken }, async (tenant, _) =>
        {
            try
            {
                await wake(tenant);
            }
            catch (Exception e) when (e is IOException or TimeoutException or InvalidDataException or OrleansException)
            {
                // The others are woken all the same, and this one half an hour later.
                Interlocked.Increment(ref failed);
                error = e.Message;
            }
        });
        if (failed > 0) LogAsleep(log, failed, error);
    }

    [LoggerMessage(2870, LogLevel.Warning, "Tenants cannot be looked at now, and are in half an hour: {Error}")]
    private static partial void LogFailed(ILogger logger, string error);

    [LoggerMessage(2871, LogLevel.Warning, "{Tenants} tenants could not be looked at now, and are in half an hour; one of them: {Error}")]
    private static partial void LogAsleep(ILogger logger, int tenants, string error);
}
