using Angarium.Api.Problems;
using Angarium.Contracts.Admin;
using Angarium.Contracts.EgressPools;
using Angarium.Mail;
using Angarium.Mail.Addresses;
using Microsoft.AspNetCore.Http;
using Orleans.Runtime;

namespace Angarium.Api.Operators;

/// <summary>Carries out an order at the queues that it is for, some at a time: first into the audit, then to each of them. No state; any thread.</summary>
internal sealed class QueueOrders(IGrainFactory grains)
{
    private const int MaxDomains = 100_000, AtOnce = 16;

    public static IResult BadDomain => ApiProblem.Invalid("domain", "A domain, such as example.net.");

    public static IResult BadMessage => ApiProblem.Invalid("message", "A message id: 23 characters of a to z and 2 to 7.");

    public static string? DomainOf(string text) => QueueDomain.TryParse(text, out var domain) ? domain.Value : null;

    public static IResult NotQueued(string message) => ApiProblem.Of(StatusCodes.Status404NotFound, "not-found", $"no queue holds {message}; `angarium trace` tells what became of a message.", "message");

    public async Task<IResult> CarryOutAsync(HttpRequest request, string verb)
    {
        var (order, refusal) = await Body.ReadAsync<QueueOrder>(request);
        if (order is null) return refusal!;
        if (Refuse(order, verb) is { } wrong) return wrong;
        RecipientKey? message = null;
        if (order.Message is not null)
        {
            if (!MessageId.TryParse(order.Message, out var id)) return BadMessage;
            message = id.First;
        }

        if (order.Domain is not null && DomainOf(order.Domain) is null) return BadDomain;
        string[] domains;
        try
        {
            domains = await DomainsAsync(order, message);
        }
        catch (IOException e)
        {
            return Unavailable(e.Message);
        }

        if (domains.Length == 0 && order.All != true) return message is not null ? NotQueued(order.Message!) : ApiProblem.Of(StatusCodes.Status404NotFound, "not-found", "Nothing of that is queued.");
        // Who cannot be written down cannot order.
        await grains.GetGrain<IOperators>(0).Note(verb, TargetOf(order), DetailOf(order));
        return await CarryOutAsync(domains, new QueueSelection(message, order.Tenant), verb, order);
    }

    private async Task<IResult> CarryOutAsync(string[] domains, QueueSelection which, string verb, QueueOrder order)
    {
        var (done, failed, recipients) = (0, 0, 0L);
        string? trouble = null;
        await Parallel.ForEachAsync(domains, new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (domain, _) =>
        {
            var queue = grains.GetGrain<IDomainQueueAdmin>(domain);
            try
            {
                Interlocked.Add(ref recipients, await CarryOutAsync(queue, which, verb, order));
                Interlocked.Increment(ref done);
            }
            catch (Exception e) when (e is IOException or TimeoutException or OrleansException or InvalidOperationException or InvalidDataException)
            {
                // The index or a store is away, the domain on its way to another silo, or its list of holds full: the others are ordered all the same.
                Interlocked.Increment(ref failed);
                trouble = e.Message;
            }
        });
        if (done == 0 && trouble is not null) return Unavailable(trouble);
        // What the order could not change is told with it: a suspended site, a hold, mail under way.
        var after = domains.Length == 1 ? QueueBody.Of(await grains.GetGrain<IDomainQueueAdmin>(domains[0]).Show(0)) : null;
        return Results.Json(new OrderAnswer { Domains = done, Recipients = recipients, Failed = failed, Trouble = trouble, After = after }, Body.Json);
    }

    private static async Task<int> CarryOutAsync(IDomainQueueAdmin queue, QueueSelection which, string verb, QueueOrder order)
    {
        switch (verb)
        {
            case "retry":
                return await queue.Retry(which);
            case "drop":
                return await queue.Drop(which, string.IsNullOrWhiteSpace(order.Reason) ? "dropped by an operator" : order.Reason, order.Notify == true);
            case "hold":
                await queue.Hold(which.Message);
                return 0;
            default:
                await queue.Release(which.Message);
                return 0;
        }
    }

    private async Task<string[]> DomainsAsync(QueueOrder order, RecipientKey? message)
    {
        var directory = grains.GetGrain<IQueueDirectoryGrain>(0);
        if (message is { } key) return await directory.FindMessage(key);
        if (order.Domain is { } domain) return [DomainOf(domain)!];
        var found = order.Tenant is null && order.Site is null
            ? await directory.ListDomains(MaxDomains) : await directory.FindDomains(new ShapeRequest { Tenant = order.Tenant, Site = order.Site, Limit = MaxDomains });
        return [.. found.Select(one => one.Domain)];
    }

    /// <summary>Null = what it is for is said, and fits the order.</summary>
    private static IResult? Refuse(QueueOrder order, string verb)
    {
        var isOfSome = verb is "hold" or "release";
        if (order.Reason is { } reason && (reason.Length > Suspension.MaxReason || reason.Any(char.IsControl))) return ApiProblem.Invalid("reason", $"At most {Suspension.MaxReason} printable characters.");
        if (order.Notify is not null && verb != "drop") return ApiProblem.Invalid("notify", "Only what is dropped can be told of.");
        if (order.All is not null && verb != "retry") return ApiProblem.Invalid("all", $"Name what to {verb}.");
        if (order.Tenant is { } tenant && !IsName(tenant, 64)) return ApiProblem.Invalid("tenant", "A tenant's id.");
        if (order.Site is { } site && !IsName(site, 600)) return ApiProblem.Invalid("site", "A site, as `angarium explain DOMAIN` names it.");
        if (order.Site is { } qualified && PoolName.SiteOf(qualified) != qualified) return ApiProblem.Invalid("site", $"Without its pool: {PoolName.SiteOf(qualified)} is meant for the mail of every pool; name a tenant or a domain for less.");
        if (isOfSome && order.Tenant is not null) return ApiProblem.Invalid("tenant", "A domain or a message is held; suspend the tenant instead.");
        if (isOfSome && order.Site is not null) return ApiProblem.Invalid("site", "A domain or a message is held; suspend the site instead.");
        if (order.Message is not null && (order.Domain ?? order.Tenant ?? order.Site) is not null) return ApiProblem.Invalid("message", "It is named alone.");
        if (order.Site is not null && order.Domain is not null) return ApiProblem.Invalid("site", "A domain has one; name either.");
        var isNamed = (order.Domain ?? order.Message ?? order.Tenant ?? order.Site) is not null;
        if (order.All == true && isNamed) return ApiProblem.Invalid("all", "All, or what is named.");
        return isNamed || order.All == true ? null : ApiProblem.Invalid("domain", isOfSome ? "Name a domain or a message." : verb == "retry" ? "Name a domain, a message, a tenant or a site, or `all`." : "Name a domain, a message, a tenant or a site.");
    }

    private static bool IsName(string text, int most) => text.Length > 0 && text.Length <= most && !text.Any(c => char.IsControl(c) || c == ' ');

    private static string TargetOf(QueueOrder order) => string.Join(", ", new[]
    {
        order.Message is { } message ? "message " + message : null, order.Domain is { } domain ? "domain " + DomainOf(domain) : null, order.Tenant is { } tenant ? "tenant " + tenant : null,
        order.Site is { } site ? "site " + site : null, order.All == true ? "all" : null,
    }.OfType<string>());

    private static string? DetailOf(QueueOrder order) => order.Notify == true ? $"senders are told{(order.Reason is null ? "" : ": " + order.Reason)}" : order.Reason;

    private static IResult Unavailable(string why) => ApiProblem.Of(StatusCodes.Status503ServiceUnavailable, "unavailable", why);
}
