using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Angarium.Contracts.Admin;
using Angarium.Host.Logging;
using Angarium.Mail;
using Angarium.Spool.Ledger;

namespace Angarium.Host.Control;

/// <summary>
/// What `mailq` and `trace` ask of the running process over the socket in `Data`; all else that operators ask is the API's own, which is there as well. Thin: each is a few calls. Any thread; nothing is kept
/// here.
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

        IDomainQueueAdmin Queue(string domain) => grains.GetGrain<IDomainQueueAdmin>(domain);
    }

    /// <summary>A process without the role api: says so to whatever is asked.</summary>
    public static void MapNoControl(this IEndpointRouteBuilder endpoints) => endpoints.MapFallback(() => Results.Text(
        "this process does not serve commands; name the Data folder of one with `api` in its Roles.", statusCode: StatusCodes.Status404NotFound));

    private static IResult Unknown(string id) => Results.Text($"`{Printable.Line(id)}` is not a message id.", statusCode: StatusCodes.Status404NotFound);

    public static IResult Answer<T>(T value) => Results.Json(value, ControlJson.Options);
}

/// <summary>What `mailq` prints: queues with their recipients, and how many more there are than were listed.</summary>
internal sealed record QueueListing(QueueSnapshot[] Domains, long NotListed);

/// <summary>The records of a message, oldest first, and the domains whose queues still hold some of it.</summary>
internal sealed record MessageTrace(string Id, LedgerRecord[] Records, string[] Queued);
