using System.Collections.Concurrent;
using Angarium.Contracts.DomainQueues;
using Angarium.Egress.Sessions;
using Angarium.Spool.Time;
using Microsoft.Extensions.Logging;

namespace Angarium.Egress.Worker;

/// <summary>
/// Renews every lease whose outcome is not acknowledged and that somebody carries, each 5 s, in one call per domain for all sessions of the worker (design rule 15). Ticked by the
/// worker; sessions add and acknowledge from their own threads. Nothing survives: leases end by themselves.
/// </summary>
internal sealed partial class LeaseKeeper(IQueueGateway gateway, IStoreClock clock, TimeProvider time, string worker, ILogger logger)
{
    private const int MostPerCall = 1000;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<string, Domain> domains = new(StringComparer.Ordinal);

    private sealed class Domain
    {
        public readonly Dictionary<ulong, HeldGrant> Leases = [];
        public long Renewed;
        public bool Renewing;
    }

    public int Count => domains.Values.Sum(domain =>
    {
        lock (domain) return domain.Leases.Count;
    });

    public void Add(HeldGrant held)
    {
        while (true)
        {
            var domain = domains.GetOrAdd(held.Domain, static (_, now) => new Domain { Renewed = now }, time.GetTimestamp());
            lock (domain)
            {
                // Emptied and taken out meanwhile: its successor.
                if (!domains.TryGetValue(held.Domain, out var current) || current != domain) continue;
                if (domain.Leases.Count == 0) domain.Renewed = time.GetTimestamp();
                domain.Leases[held.Grant.Lease] = held;
                return;
            }
        }
    }

    public void Acknowledge(HeldGrant held, int recipients)
    {
        if (Interlocked.Add(ref held.Unacknowledged, -recipients) <= 0) Drop(held);
    }

    /// <summary>Renews it no more.</summary>
    public void Drop(HeldGrant held)
    {
        if (!domains.TryGetValue(held.Domain, out var domain)) return;
        lock (domain)
        {
            domain.Leases.Remove(held.Grant.Lease);
        }
    }

    /// <summary>Begins what is due. Called every second or so.</summary>
    public void Tick()
    {
        foreach (var (name, domain) in domains)
        {
            HeldGrant[] due;
            lock (domain)
            {
                if (domain.Leases.Count == 0)
                {
                    domains.TryRemove(new(name, domain));
                    continue;
                }

                if (domain.Renewing || time.GetElapsedTime(domain.Renewed) < Interval) continue;
                domain.Renewing = true;
                domain.Renewed = time.GetTimestamp();
                due = [.. domain.Leases.Values];
            }

            _ = RenewAsync(name, domain, due);
        }
    }

    private async Task RenewAsync(string name, Domain domain, HeldGrant[] due)
    {
        try
        {
            foreach (var part in due.Chunk(MostPerCall))
            {
                var sentAt = clock.Now;
                var sentTimestamp = time.GetTimestamp();
                var answer = await gateway.RenewAsync(name, new RenewRequest
                {
                    Worker = worker,
                    SentAt = sentAt,
                    Leases = Array.ConvertAll(part, held => new HeldLease { Lease = held.Grant.Lease, Place = held.Grant.Place, Keys = held.Grant.Keys }),
                });
                var renewed = answer.Renewed.ToHashSet();
                foreach (var held in part)
                    if (renewed.Contains(held.Grant.Lease)) held.Renew(answer.Until, sentAt, sentTimestamp);
            }
        }
        catch (Exception e)
        {
            // Asked again in 5 s; a lease that cannot be renewed ends in time, and its transaction with it.
            NotRenewed(name, due.Length, e.Message);
        }
        finally
        {
            lock (domain) domain.Renewing = false;
        }
    }

    [LoggerMessage(4030, LogLevel.Warning, "Leases not renewed: domain {Domain}, {Count} leases: {Reason}")]
    private partial void NotRenewed(string domain, int count, string reason);
}
