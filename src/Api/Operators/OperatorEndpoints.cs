using System.Globalization;
using Angarium.Api.Callers;
using Angarium.Api.Problems;
using Angarium.Api.Tenants;
using Angarium.Contracts.Admin;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Angarium.Api.Operators;

/// <summary>What operators see and order of the whole cluster, over HTTP: each route is a call or two of grains. No state; any thread.</summary>
internal static class OperatorEndpoints
{
    private const int MaxRows = 10_000, MaxRecipients = 10_000, MaxAudit = 100;

    /// <summary>Ten years: longer is for ever.</summary>
    private const long MaxSeconds = 315_360_000;

    public static void MapOperators(this IEndpointRouteBuilder routes, IGrainFactory grains)
    {
        var queue = routes.MapGroup("/v1/queue").WithTags("Queue");
        queue.MapGet("", (string? by, string? domain, string? tenant, string? site, int? limit) => TableAsync(by, new ShapeRequest { Domain = domain, Tenant = tenant, Site = site, Limit = limit ?? 50 }, grains)).AdmitAdministrators()
            .Produces<QueueTable>().WithName("readQueue").WithSummary("Counts what is queued, by domain, site or tenant and by age, over the whole cluster.");
        queue.MapGet("/domains", async (int? limit) => limit is < 1 or > MaxRows ? BadLimit(MaxRows)
                : Answer(new Page<DomainCount> { Items = [.. (await Directory().ListDomains(limit ?? 100)).Select(one => new DomainCount { Domain = one.Domain, Queued = one.Queued })] }))
            .AdmitAdministrators().Produces<Page<DomainCount>>().WithName("listQueuedDomains").WithSummary("Lists the domains with the longest queues.");
        queue.MapGet("/domains/{domain}", (string domain, int? limit) => ShowAsync(domain, limit, grains)).AdmitAdministrators().Produces<QueueBody>()
            .WithName("readDomainQueue").WithSummary("Shows a domain's queue: its site, what keeps it, its recipients by due time.");
        queue.MapGet("/find", (string message, int? limit) => FindAsync(message, limit, grains)).AdmitAdministrators().Produces<Page<QueueBody>>()
            .WithName("findQueuedMessage").WithSummary("Shows the queues that hold some of a message.");
        foreach (var (verb, summary) in new[]
        {
            ("retry", "Makes queued recipients due now, and tries a suspended site at once."), ("drop", "Finishes queued recipients without delivery; and without a notice, unless it is asked for."),
            ("hold", "Holds a domain or a message: neither tried nor given up, whatever restarts."), ("release", "Releases what was held."),
        })
        {
            queue.MapPost("/" + verb, (HttpRequest request) => new QueueOrders(grains).CarryOutAsync(request, verb)).AdmitAdministrators().Accepts<QueueOrder>("application/json").Produces<OrderAnswer>()
                .WithName(verb + "Queue").WithSummary(summary);
        }

        var suspensions = routes.MapGroup("/v1/suspensions").WithTags("Suspensions");
        suspensions.MapGet("", async () => Answer(new Page<SuspensionBody> { Items = [.. (await Operators().Suspensions()).Select(SuspensionBody.Of)] })).AdmitAdministrators().Produces<Page<SuspensionBody>>()
            .WithName("listSuspensions").WithSummary("Lists the suspensions in force.");
        suspensions.MapPost("", (HttpRequest request) => SuspendAsync(request, Operators())).AdmitAdministrators().Accepts<NewSuspension>("application/json").Produces<SuspensionBody>()
            .WithName("suspend").WithSummary("Suspends a site, a tenant or a source, for a time or until it is resumed: nothing of it is sent or given up, whatever restarts.");
        suspensions.MapPost("/resume", (HttpRequest request) => ResumeAsync(request, Operators())).AdmitAdministrators().Accepts<EndOfSuspension>("application/json").Produces<SuspensionBody>()
            .WithName("resume").WithSummary("Ends a suspension.");

        var cluster = routes.MapGroup("/v1").WithTags("Cluster");
        cluster.MapGet("/explain/{domain}", async (string domain) => await Operators().Explain(domain) is { } told ? Answer(ExplanationBody.Of(told)) : ApiProblem.Invalid("domain", "A domain, such as example.net."))
            .AdmitAdministrators().Produces<ExplanationBody>().WithName("explainDomain").WithSummary("Says where a domain's mail goes, every limit in force there, and the setting that each comes from.");
        cluster.MapGet("/audit", (long? before, int? limit) => AuditAsync(before, limit, Operators())).AdmitAdministrators().Produces<Page<OrderBody>>()
            .WithName("readOrders").WithSummary("Every order of an operator, the newest first. An order is entered before it is carried out.");

        IOperators Operators() => grains.GetGrain<IOperators>(0);
        IQueueDirectoryGrain Directory() => grains.GetGrain<IQueueDirectoryGrain>(0);
    }

    private static async Task<IResult> TableAsync(string? by, ShapeRequest request, IGrainFactory grains)
    {
        ShapeBy? of = by switch { null or "domain" => ShapeBy.Domain, "site" => ShapeBy.Site, "tenant" => ShapeBy.Tenant, _ => null };
        if (of is not { } what) return ApiProblem.Invalid("by", "`domain`, `site` or `tenant`.");
        if (request.Limit is < 1 or > MaxRows) return BadLimit(MaxRows);
        if (request.Domain is { } text)
        {
            if (QueueOrders.DomainOf(text) is not { } domain) return QueueOrders.BadDomain;
            request = request with { Domain = domain };
        }

        if (request.Site is not null && what == ShapeBy.Tenant) return ApiProblem.Invalid("site", "Tenants are not counted by site; ask for `by=domain` with the site.");
        return Answer(QueueTable.Of(by ?? "domain", await grains.GetGrain<IQueueDirectoryGrain>(0).Shape(request with { By = what })));
    }

    private static async Task<IResult> ShowAsync(string text, int? limit, IGrainFactory grains)
    {
        if (limit is < 0 or > MaxRecipients) return BadLimit(MaxRecipients);
        return QueueOrders.DomainOf(text) is { } domain ? Answer(QueueBody.Of(await grains.GetGrain<IDomainQueueAdmin>(domain).Show(limit ?? 100))) : QueueOrders.BadDomain;
    }

    private static async Task<IResult> FindAsync(string message, int? limit, IGrainFactory grains)
    {
        if (limit is < 0 or > MaxRecipients) return BadLimit(MaxRecipients);
        if (!Mail.MessageId.TryParse(message, out var id)) return QueueOrders.BadMessage;
        var domains = await grains.GetGrain<IQueueDirectoryGrain>(0).FindMessage(id.First);
        if (domains.Length == 0) return QueueOrders.NotQueued(message);
        return Answer(new Page<QueueBody> { Items = [.. (await Task.WhenAll(domains.Select(domain => grains.GetGrain<IDomainQueueAdmin>(domain).Show(limit ?? 100)))).Select(QueueBody.Of)] });
    }

    private static async Task<IResult> SuspendAsync(HttpRequest request, IOperators operators)
    {
        var (body, refusal) = await Body.ReadAsync<NewSuspension>(request);
        if (body is null) return refusal!;
        if (KindOf(body.Kind) is not { } kind) return BadKind;
        if (body.Seconds is < 1 or > MaxSeconds) return ApiProblem.Invalid("seconds", $"A number from 1 to {MaxSeconds}, or none: until it is resumed.");
        return Suspended(await operators.Suspend(kind, body.Name, body.Seconds is { } seconds ? TimeSpan.FromSeconds(seconds) : null, body.Reason ?? ""));
    }

    private static async Task<IResult> ResumeAsync(HttpRequest request, IOperators operators)
    {
        var (body, refusal) = await Body.ReadAsync<EndOfSuspension>(request);
        if (body is null) return refusal!;
        return KindOf(body.Kind) is { } kind ? Suspended(await operators.Resume(kind, body.Name)) : BadKind;
    }

    private static async Task<IResult> AuditAsync(long? before, int? limit, IOperators operators)
    {
        if (limit is < 1 or > MaxAudit) return BadLimit(MaxAudit);
        var most = limit ?? MaxAudit;
        var entries = await operators.Audit(before, most + 1);
        return Answer(new Page<OrderBody> { Items = [.. entries.Take(most).Select(OrderBody.Of)], Next = entries.Length > most ? entries[most - 1].Change.ToString(CultureInfo.InvariantCulture) : null });
    }

    private static IResult Suspended(SuspensionResult result) => result.Problem is { } problem ? ApiProblem.Of(problem)
        : result.Suspension is { } suspension ? Answer(SuspensionBody.Of(suspension)) : ApiProblem.Of(StatusCodes.Status404NotFound, "not-found", "That is not suspended.", "name");

    private static SuspensionKind? KindOf(string text) => text switch { "site" => SuspensionKind.Site, "tenant" => SuspensionKind.Tenant, "source" => SuspensionKind.Source, _ => null };

    private static IResult BadKind => ApiProblem.Invalid("kind", "`site`, `tenant` or `source`.");

    private static IResult BadLimit(int most) => ApiProblem.Invalid("limit", $"A number from 1 to {most}.");

    private static IResult Answer<T>(T body) => Results.Json(body, Body.Json);
}
