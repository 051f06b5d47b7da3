using System.Globalization;
using Angarium.Api.Callers;
using Angarium.Api.Problems;
using Angarium.Api.Tenants;
using Angarium.Contracts.Inbound;
using Angarium.Contracts.Tenants;
using Angarium.Mail.Addresses;
using Angarium.Mail.Tenants;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Angarium.Api.Inbound;

/// <summary>Inbound domains of tenants over HTTP: each route is a call of the domain's grain, which answers nobody but its tenant. No state; any thread.</summary>
internal static class InboundEndpoints
{
    private const int MaxPage = 100, MaxRecipientsPage = 1_000;

    /// <summary>Octets of a request that names recipients: as many as a domain has, with room for long ones.</summary>
    private const int MaxBody = 1 << 20;

    public static void MapInbound(this IEndpointRouteBuilder routes, IGrainFactory grains)
    {
        var all = routes.MapGroup("/v1/tenants/{tenant}/inbound").WithTags("Inbound");
        all.MapPost("", (string tenant, HttpRequest request) => AddAsync(tenant, request, grains)).Admit(KeyScopes.Manage).Accepts<NewInbound>("application/json").Produces<InboundBody>(201)
            .WithName("addInboundDomain").WithSummary("Takes mail from the internet for a domain, from now on.");
        all.MapGet("", (string tenant, string? after, int? limit) => ListAsync(tenant, after, limit, grains)).Admit(KeyScopes.Read).Produces<Page<InboundBody>>()
            .WithName("listInboundDomains").WithSummary("Lists inbound domains by name.");

        var one = all.MapGroup("/{domain}");
        one.MapGet("", (string tenant, string domain, HttpResponse response) => ShownAsync(domain, response, grain => grain.Read(tenant))).Admit(KeyScopes.Read).Produces<InboundBody>()
            .WithName("readInboundDomain").WithSummary("Shows an inbound domain.");
        one.MapPatch("", (string tenant, string domain, HttpRequest request) => PatchAsync(tenant, domain, request)).Admit(KeyScopes.Manage).Accepts<InboundPatch>("application/json").Produces<InboundBody>()
            .WithName("changeInboundDomain").WithSummary("Changes an inbound domain; with If-Match only what was read. Mail that waits takes a new route within a minute.");
        one.MapDelete("", async (string tenant, string domain) => Find(domain) is not { } grain ? ApiProblem.NotFound() : Gone(await grain.Remove(tenant))).Admit(KeyScopes.Manage).Produces(204)
            .WithName("removeInboundDomain").WithSummary("Takes no more mail for a domain, within seconds.");

        var recipients = one.MapGroup("/recipients");
        recipients.MapGet("", (string tenant, string domain, string? after, int? limit) => RecipientsAsync(tenant, domain, after, limit)).Admit(KeyScopes.Read).Produces<Page<string>>()
            .WithName("listInboundRecipients").WithSummary("Lists the recipients that are named, in order.");
        recipients.MapPost("", (string tenant, string domain, HttpRequest request) => AddRecipientsAsync(tenant, domain, request)).Admit(KeyScopes.Manage).Accepts<NewRecipients>("application/json").Produces<InboundBody>()
            .WithName("addInboundRecipients").WithSummary("Names more recipients; those that are named already stay.");
        recipients.MapDelete("/{recipient}", async (string tenant, string domain, string recipient) => Find(domain) is not { } grain ? ApiProblem.NotFound() : Gone(await grain.RemoveRecipient(tenant, recipient)))
            .Admit(KeyScopes.Manage).Produces(204).WithName("removeInboundRecipient").WithSummary("Names a recipient no more.");

        IInboundDomainAdmin? Find(string domain) => QueueDomain.TryParse(domain, out var parsed) && !parsed.IsLiteral ? grains.GetGrain<IInboundDomainAdmin>(parsed.Value) : null;

        async Task<IResult> ShownAsync(string domain, HttpResponse response, Func<IInboundDomainAdmin, Task<InboundResult>> ask) => Find(domain) is not { } grain ? ApiProblem.NotFound() : Shown(await ask(grain), response);

        async Task<IResult> PatchAsync(string tenant, string domain, HttpRequest request)
        {
            var (body, refusal) = await Body.ReadAsync<InboundPatch>(request);
            if (body is null) return refusal!;
            if (!TenantEndpoints.TryIfMatch(request, out var version)) return TenantEndpoints.BadIfMatch;
            if (body.Private is not null && !request.HttpContext.Caller().IsAdministrator) return PrivateForbidden;
            return await ShownAsync(domain, request.HttpContext.Response, grain => grain.Change(new InboundChange
            {
                Tenant = tenant, IfVersion = version, Route = body.Route, CatchAll = body.CatchAll, IsPrivate = body.Private,
            }));
        }

        async Task<IResult> RecipientsAsync(string tenant, string domain, string? after, int? limit)
        {
            if (limit is < 1 or > MaxRecipientsPage) return ApiProblem.Invalid("limit", $"A number from 1 to {MaxRecipientsPage}.");
            var most = limit ?? MaxRecipientsPage;
            if (Find(domain) is not { } grain || await grain.Recipients(tenant, after, most + 1) is not { } found) return ApiProblem.NotFound();
            return Results.Json(new Page<string> { Items = [.. found.Take(most)], Next = found.Length > most ? found[most - 1] : null }, Body.Json);
        }

        async Task<IResult> AddRecipientsAsync(string tenant, string domain, HttpRequest request)
        {
            var (body, refusal) = await Body.ReadAsync<NewRecipients>(request, MaxBody);
            return body is null ? refusal! : await ShownAsync(domain, request.HttpContext.Response, grain => grain.AddRecipients(tenant, body.Recipients));
        }
    }

    private static IResult PrivateForbidden => ApiProblem.Of(StatusCodes.Status403Forbidden, "forbidden", "Only an administrator may say that.", "private");

    private static async Task<IResult> AddAsync(string tenant, HttpRequest request, IGrainFactory grains)
    {
        var (body, refusal) = await Body.ReadAsync<NewInbound>(request, MaxBody);
        if (body is null) return refusal!;
        var isAdministrator = request.HttpContext.Caller().IsAdministrator;
        if (body.Private is not null && !isAdministrator) return PrivateForbidden;
        if (!QueueDomain.TryParse(body.Domain, out var domain) || domain.IsLiteral) return ApiProblem.Invalid("domain", "The name of a domain, such as example.org.");
        var result = await grains.GetGrain<IInboundDomainAdmin>(domain.Value).Add(new InboundDraft
        {
            Tenant = tenant, Route = body.Route ?? "", Recipients = body.Recipients, CatchAll = body.CatchAll, IsPrivate = body.Private == true, ByAdministrator = isAdministrator,
        });
        return result.Domain is { } added ? Results.Json(InboundBody.Of(added), Body.Json, statusCode: StatusCodes.Status201Created) : ApiProblem.Of(result.Problem!);
    }

    private static async Task<IResult> ListAsync(string tenant, string? after, int? limit, IGrainFactory grains)
    {
        if (limit is < 1 or > MaxPage) return ApiProblem.Invalid("limit", $"A number from 1 to {MaxPage}.");
        var most = limit ?? MaxPage;
        if (await grains.GetGrain<ITenantInbound>(TenantName.IsTenant(tenant) ? tenant : TenantName.Nobody).ListInbound(after, most + 1) is not { } names) return ApiProblem.NotFound();
        var read = await Task.WhenAll(names.Take(most).Select(name => grains.GetGrain<IInboundDomainAdmin>(name).Read(tenant)));
        return Results.Json(new Page<InboundBody> { Items = [.. read.Where(r => r.Domain is not null).Select(r => InboundBody.Of(r.Domain!))], Next = names.Length > most ? names[most - 1] : null }, Body.Json);
    }

    private static IResult Shown(InboundResult result, HttpResponse response)
    {
        if (result.Domain is not { } domain) return ApiProblem.Of(result.Problem!);
        response.Headers.ETag = string.Create(CultureInfo.InvariantCulture, $"\"{domain.Version}\"");
        return Results.Json(InboundBody.Of(domain), Body.Json);
    }

    private static IResult Gone(InboundResult result) => result.Problem is { } problem ? ApiProblem.Of(problem) : Results.NoContent();
}
