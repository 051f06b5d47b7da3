using Angarium.Contracts.Admin;
using Angarium.Contracts.EgressPools;
using Angarium.Contracts.Routing;
using Angarium.Grains.Control;
using Angarium.Grains.Index;
using Angarium.Grains.View;
using Angarium.Mail;
using Angarium.Spool.Time;

namespace Angarium.Grains.DomainQueues;

/// <summary>
/// Sums what is queued, by domain, site or tenant and by age: this silo's part of it (<see cref="SumAsync"/>), and all parts together. Numbers and names cross between silos, never messages: how many a lane has is
/// exact, how old they are is told from their packs, of long lanes by a sample. Any thread; no state.
/// </summary>
internal sealed class QueueShapes(IIndexTotals index, ActiveDomains active, IRecordView view, IRouteResolver routes, IStoreClock clock, SiloDesks desks)
{
    /// <summary>Of which tenant fresh mail is, is not looked at.</summary>
    public const string Fresh = "(just accepted)";

    /// <summary>Of domains that are not among the largest the site is not looked up.</summary>
    public const string Others = "(smaller domains)";

    /// <summary>Domains of one silo's part whose sites are looked up, so many at once, for no longer than that.</summary>
    private const int MostSites = 1_000, SitesAtOnce = 32;

    private static readonly TimeSpan s_sitesWithin = TimeSpan.FromSeconds(20);

    /// <summary>All silos' parts. The partitions of a silo that does not answer are summed here.</summary>
    public async Task<QueueShape> ShapeAsync(ShapeRequest request, CancellationToken cancellationToken)
    {
        var parts = await desks.AskAsync(count => SumAsync(request, Share(request, 0, count), cancellationToken), (desk, i, count) => desk.Sum(request, Share(request, i, count)));
        var silent = parts.Count(part => part is null);
        var sums = parts.OfType<ShapeSums>().ToList();
        for (var i = 0; i < parts.Count; i++)
            if (parts[i] is null) sums.Add(await SumAsync(request, Share(request, i, parts.Count), cancellationToken, withFresh: false));

        var rows = new Rows();
        foreach (var row in sums.SelectMany(sum => sum.Rows)) rows.Add(row.Name, row.Queued, row.Ages);
        var all = rows.Ordered();
        var limit = Math.Clamp(request.Limit, 1, ShapeSums.MostRows);
        return new QueueShape
        {
            Rows = [.. all.Take(limit)], Total = Rows.Total(sums.Select(sum => sum.Total)), MoreRows = Math.Max(0, all.Count - limit) + sums.Sum(sum => sum.MoreRows), IsSampled = sums.Exists(sum => sum.IsSampled),
            IndexAway = sums.Exists(sum => sum.IndexAway), SilentSilos = silent, LacksSites = sums.Exists(sum => sum.LacksSites),
        };
    }

    /// <summary>Domains that have, or may have, some of what is asked for.</summary>
    public async Task<QueuedDomain[]> FindAsync(ShapeRequest request, CancellationToken cancellationToken)
    {
        var shape = await ShapeAsync(request with { By = ShapeBy.Domain }, cancellationToken);
        if (shape.IndexAway) throw new IOException("the queue index cannot be reached; which domains have such mail is not known");
        if (shape.LacksSites) throw new IOException("too many domains have mail queued to look up where all of it goes; name domains or a tenant instead");
        return [.. shape.Rows.Select(row => new QueuedDomain(row.Name, row.Queued))];
    }

    /// <summary>This silo's part: the partitions that fall to it, and what it alone has in memory.</summary>
    public async Task<ShapeSums> SumAsync(ShapeRequest request, IReadOnlyList<int> partitions, CancellationToken cancellationToken, bool withFresh = true)
    {
        var now = clock.Now;
        var rows = new Rows();
        var (isSampled, isAway) = (false, false);
        try
        {
            await foreach (var lane in index.LanesAsync(partitions, request.Domain, cancellationToken))
            {
                if (request.Tenant is { } tenant && lane.Lane.Tenant != tenant) continue;
                var seen = lane.Born.Sum(pack => pack.Count);
                isSampled |= seen < lane.Queued;
                var ages = new double[ShapeRow.Minutes.Length + 1];
                // What is in no listing yet came just now.
                foreach (var (one, count) in lane.Born) ages[ShapeRow.AgeOf(now - (view.Born(one) ?? now))] += (double)count * lane.Queued / seen;
                rows.Add(request.By == ShapeBy.Tenant ? lane.Lane.Tenant : lane.Domain, lane.Queued, ages);
            }
        }
        catch (IOException)
        {
            isAway = true;
        }

        if (withFresh)
        {
            foreach (var (domain, count) in active.Counts.Where(one => request.Domain is null || one.Key == request.Domain))
            {
                // Of one tenant it is named all the same: it may have some.
                var ages = new double[ShapeRow.Minutes.Length + 1];
                ages[0] = count;
                if (request.Tenant is null) rows.Add(request.By == ShapeBy.Tenant ? Fresh : domain, count, ages);
                else if (request.By == ShapeBy.Domain) rows.Add(domain, 0, new double[ages.Length]);
            }
        }

        var lacksSites = false;
        if (request.Site is not null || request.By == ShapeBy.Site) (rows, lacksSites) = await OfSitesAsync(rows, request, cancellationToken);
        var all = rows.Ordered();
        return new ShapeSums
        {
            Rows = [.. all.Take(ShapeSums.MostRows)], Total = Rows.Total(all), MoreRows = Math.Max(0, all.Count - ShapeSums.MostRows), IsSampled = isSampled, IndexAway = isAway, LacksSites = lacksSites,
        };
    }

    private static int[] Share(ShapeRequest request, int silo, int count) =>
        request.Domain is { } domain ? silo == 0 ? [IndexPartition.Of(domain)] : [] : [.. IndexPartition.All.Where(partition => partition % count == silo)];

    /// <summary>Rows of domains become rows of their sites, or those of one site stay. The largest are looked up.</summary>
    private async Task<(Rows Rows, bool IsPartial)> OfSitesAsync(Rows domains, ShapeRequest request, CancellationToken cancellationToken)
    {
        if (request.By == ShapeBy.Tenant) throw new ArgumentException("Tenants of one site are not summed.", nameof(request));
        var ordered = domains.Ordered();
        using var within = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        within.CancelAfter(s_sitesWithin);
        var sites = new System.Collections.Concurrent.ConcurrentDictionary<string, string>(StringComparer.Ordinal);
        try
        {
            await Parallel.ForEachAsync(ordered.Take(MostSites), new ParallelOptions { MaxDegreeOfParallelism = SitesAtOnce, CancellationToken = within.Token },
                async (row, stop) => sites[row.Name] = (await routes.ResolveSiteAsync(row.Name, stop)).Site);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The rest is in the row of those that were not looked up.
        }

        var rows = new Rows();
        foreach (var row in ordered)
        {
            var site = sites.GetValueOrDefault(row.Name);
            if (request.Site is { } wanted && site != PoolName.SiteOf(wanted)) continue;
            rows.Add(request.By == ShapeBy.Site ? site ?? Others : row.Name, row.Queued, row.Ages);
        }

        return (rows, sites.Count < ordered.Count);
    }

    /// <summary>Rows that are being summed, by name.</summary>
    private sealed class Rows
    {
        private readonly Dictionary<string, (long Queued, double[] Ages)> _rows = new(StringComparer.Ordinal);

        public void Add(string name, long queued, IReadOnlyList<long> ages) => Add(name, queued, ages.Select(age => (double)age).ToArray());

        public void Add(string name, long queued, double[] ages)
        {
            if (_rows.TryGetValue(name, out var row))
            {
                for (var i = 0; i < row.Ages.Length; i++) row.Ages[i] += ages[i];
                _rows[name] = (row.Queued + queued, row.Ages);
            }
            else
            {
                _rows[name] = (queued, ages);
            }
        }

        public List<ShapeRow> Ordered() =>
            [.. _rows.Select(row => new ShapeRow { Name = row.Key, Queued = row.Value.Queued, Ages = [.. row.Value.Ages.Select(age => (long)Math.Round(age))] }).OrderByDescending(row => row.Queued).ThenBy(row => row.Name, StringComparer.Ordinal)];

        public static ShapeRow Total(IEnumerable<ShapeRow> rows)
        {
            var (queued, ages) = (0L, new long[ShapeRow.Minutes.Length + 1]);
            foreach (var row in rows)
            {
                queued += row.Queued;
                for (var i = 0; i < ages.Length; i++) ages[i] += row.Ages[i];
            }

            return new ShapeRow { Name = "TOTAL", Queued = queued, Ages = ages };
        }
    }
}
