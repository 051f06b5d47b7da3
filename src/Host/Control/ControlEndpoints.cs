using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Angarium.Contracts.Admin;
using Angarium.Mail;
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

    public static void MapControl(this IEndpointRouteBuilder endpoints, IGrainFactory grains, IQueueDirectory directory, LedgerTrace trace)
    {
        endpoints.MapGet("/queue", async (int? limit, CancellationToken cancellationToken) =>
            Answer((await directory.ListDomainsAsync(Math.Clamp(limit ?? 1_000, 1, MaxDomains), cancellationToken)).Select(row => new QueueRow(row.Domain, row.Queued))));
        endpoints.MapGet("/queue/{target}", async (string target, int? limit, CancellationToken cancellationToken) =>
            Answer(await Task.WhenAll((await Targets(target, cancellationToken)).Select(one => one.Queue.Show(Math.Clamp(limit ?? 100, 0, MaxListed))))));
        endpoints.MapPost("/queue/{target}/{verb}", async (string target, string verb, string? reason, CancellationToken cancellationToken) =>
        {
            var targets = await Targets(target, cancellationToken);
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

            return Answer(new QueueChange(targets.Count, changed));
        });

        endpoints.MapGet("/trace/{id}", async (string id, CancellationToken cancellationToken) =>
        {
            if (!RecipientKey.TryParse(id, out var key)) return Results.NotFound();
            var records = new List<LedgerRecord>();
            await foreach (var record in trace.FindAsync(key, cancellationToken))
            {
                records.Add(record);
                if (records.Count == MaxTraced) break;
            }

            return Answer(records.OrderBy(record => record.Time));
        });

        // `all` names every domain that has mail; a message id names the domains that hold some of it; all else is a domain.
        async Task<List<(IDomainQueueAdmin Queue, RecipientKey? Message)>> Targets(string target, CancellationToken cancellationToken)
        {
            if (target == "all")
                return [.. (await directory.ListDomainsAsync(MaxDomains, cancellationToken)).Select(row => (Queue(row.Domain), (RecipientKey?)null))];
            if (MessageId.TryParse(target, out var id))
                return [.. (await directory.FindMessageAsync(id.First, cancellationToken)).Select(domain => (Queue(domain), (RecipientKey?)id.First))];
            return [(Queue(target.ToLowerInvariant()), null)];
        }

        IDomainQueueAdmin Queue(string domain) => grains.GetGrain<IDomainQueueAdmin>(domain);
    }

    public static IResult Answer<T>(T value) => Results.Json(value, ControlJson.Options);
}

/// <summary>One line of `queue list`.</summary>
internal sealed record QueueRow(string Domain, long Queued);

/// <summary>What an order changed.</summary>
internal sealed record QueueChange(int Domains, int Recipients);
