using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Angarium.Contracts.Admin;
using Angarium.Host.Logging;
using Angarium.Mail;
using Angarium.Mail.Addresses;
using Angarium.Spool.Ledger;

namespace Angarium.Host.Control;

/// <summary>
/// What commands may ask of the running process over the socket in `Data`. Thin: each is a few calls of the domains' administration. Any thread; nothing is
/// kept here.
/// </summary>
internal static class ControlEndpoints
{
    private const int MaxDomains = 100_000;
    private const int MaxListed = 10_000;
    private const int MaxTraced = 100_000;

    /// <summary>Messages in one trace.</summary>
    public const int MaxMessages = 100;

    public static void MapControl(this IEndpointRouteBuilder routes, IGrainFactory grains, IQueueDirectory directory, LedgerTrace trace)
    {
        var endpoints = routes.MapGroup("").AddEndpointFilter(async (context, next) =>
        {
            try
            {
                return await next(context);
            }
            catch (Exception e) when (e is IOException or TimeoutException or Orleans.Runtime.OrleansException)
            {
                // The index or a store is away, or the domain is on its way to another silo: it may be asked again.
                return Results.Text(Printable.Line(e.Message), statusCode: StatusCodes.Status503ServiceUnavailable);
            }
        });
        endpoints.MapGet("/queue", async (int? limit, CancellationToken cancellationToken) =>
            Answer((await directory.ListDomainsAsync(Math.Clamp(limit ?? 1_000, 1, MaxDomains), cancellationToken)).Select(row => new QueueRow(row.Domain, row.Queued))));
        endpoints.MapGet("/mailq", async (CancellationToken cancellationToken) =>
        {
            var listed = new List<QueueSnapshot>();
            long left = MaxListed, more = 0;
            foreach (var row in await directory.ListDomainsAsync(MaxDomains, cancellationToken))
            {
                if (left <= 0)
                {
                    more += row.Queued;
                    continue;
                }

                var snapshot = await Queue(row.Domain).Show((int)left);
                left -= snapshot.Recipients.Length;
                more += Math.Max(0, snapshot.Queued - snapshot.Recipients.Length);
                listed.Add(snapshot);
            }

            return Answer(new QueueListing([.. listed], more));
        });
        endpoints.MapGet("/queue/{target}", async (string target, int? limit, CancellationToken cancellationToken) =>
        {
            if (await TargetsAsync(target, cancellationToken) is not { Count: > 0 } targets) return Unknown(target);
            return Answer(await Task.WhenAll(targets.Select(one => one.Queue.Show(Math.Clamp(limit ?? 100, 0, MaxListed)))));
        });
        endpoints.MapPost("/queue/{target}/{verb}", async (string target, string verb, string? reason, CancellationToken cancellationToken) =>
        {
            var targets = await TargetsAsync(target, cancellationToken);
            if (targets is null || targets.Count == 0 && target != "all") return Unknown(target);
            var changed = 0;
            foreach (var (queue, message) in targets)
            {
                switch (verb)
                {
                    case "retry":
                        changed += await queue.Retry(message);
                        break;
                    case "drop":
                        changed += await queue.Drop(message, string.IsNullOrWhiteSpace(reason) ? "dropped by an operator" : reason);
                        break;
                    case "hold":
                        await queue.Hold(message);
                        break;
                    case "release":
                        await queue.Release(message);
                        break;
                    default:
                        return Results.NotFound();
                }
            }

            // What the order could not change is told with it: a suspended site, a hold, mail under way.
            return Answer(new QueueChange(targets.Count, changed, target == "all" ? null : await targets[0].Queue.Show(0)));
        });

        // Several ids, parted by commas, cost one reading of the ledger.
        endpoints.MapGet("/trace/{ids}", async (string ids, CancellationToken cancellationToken) =>
        {
            var messages = new Dictionary<RecipientKey, List<LedgerRecord>>();
            foreach (var id in ids.Split(',', MaxMessages + 1))
            {
                if (!MessageId.TryParse(id, out var message)) return Unknown(id);
                messages.TryAdd(message.First, []);
            }

            var records = 0;
            await foreach (var (asked, record) in trace.FindAsync(messages.Keys.ToHashSet(), cancellationToken))
            {
                messages[asked].Add(record);
                if (++records == MaxTraced) break;
            }

            var found = new List<MessageTrace>();
            foreach (var (key, its) in messages)
                found.Add(new MessageTrace(new MessageId(key).ToString(), [.. its.OrderBy(record => record.Time)], [.. await directory.FindMessageAsync(key, cancellationToken)]));
            return Answer(found);
        });

        // `all` names every domain that has mail; a message id names the domains that hold some of it; all else is a domain. Null = not even that.
        async Task<List<(IDomainQueueAdmin Queue, RecipientKey? Message)>?> TargetsAsync(string target, CancellationToken cancellationToken)
        {
            if (target == "all")
                return [.. (await directory.ListDomainsAsync(MaxDomains, cancellationToken)).Select(row => (Queue(row.Domain), (RecipientKey?)null))];
            if (MessageId.TryParse(target, out var id))
                return [.. (await directory.FindMessageAsync(id.First, cancellationToken)).Select(domain => (Queue(domain), (RecipientKey?)id.First))];
            return QueueDomain.TryParse(target, out var domain) ? [(Queue(domain.Value), null)] : null;
        }

        IDomainQueueAdmin Queue(string domain) => grains.GetGrain<IDomainQueueAdmin>(domain);
    }

    /// <summary>A process without the role api: says so to whatever is asked.</summary>
    public static void MapNoControl(this IEndpointRouteBuilder endpoints) => endpoints.MapFallback(() => Results.Text(
        "this process does not serve commands; name the Data folder of one with `api` in its Roles.", statusCode: StatusCodes.Status404NotFound));

    private static IResult Unknown(string target) => Results.Text(
        MessageId.TryParse(target, out _) ? $"no queue holds {target}; `angarium trace` tells what became of a message." : $"`{Printable.Line(target)}` is neither a domain nor a message id.",
        statusCode: StatusCodes.Status404NotFound);

    public static IResult Answer<T>(T value) => Results.Json(value, ControlJson.Options);
}

/// <summary>One line of `queue list`.</summary>
internal sealed record QueueRow(string Domain, long Queued);

/// <summary>What `mailq` prints: queues with their recipients, and how many more there are than were listed.</summary>
internal sealed record QueueListing(QueueSnapshot[] Domains, long NotListed);

/// <summary>What an order changed, and (unless it went to all) how the first of its domains stands after it.</summary>
internal sealed record QueueChange(int Domains, int Recipients, QueueSnapshot? After);

/// <summary>The records of a message, oldest first, and the domains whose queues still hold some of it.</summary>
internal sealed record MessageTrace(string Id, LedgerRecord[] Records, string[] Queued);
