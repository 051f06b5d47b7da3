using Angarium.Api.Callers;
using Angarium.Api.Problems;
using Angarium.Api.Tenants;
using Angarium.Contracts.Tenants;
using Angarium.Mail.Tenants;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Angarium.Api.Webhooks;

/// <summary>A tenant's webhooks over HTTP: each route is a call of the tenant's grain. No state; any thread.</summary>
internal static class WebhookEndpoints
{
    public static void MapWebhooks(this IEndpointRouteBuilder routes, IGrainFactory grains)
    {
        var all = routes.MapGroup("/v1/tenants/{tenant}/webhooks").WithTags("Webhooks");
        all.MapPost("", (string tenant, HttpRequest request) => AddAsync(request, Grain(tenant))).Admit(KeyScopes.Manage).Accepts<NewWebhook>("application/json").Produces<WebhookSecretAnswer>(201)
            .WithName("addWebhook").WithSummary("Makes a webhook: what happens from now on to the tenant's mail is posted to it, signed.");
        all.MapGet("", async (string tenant) => await Grain(tenant).Webhooks(null) is { Problem: null } result ? Answer(new Page<WebhookBody> { Items = [.. result.Webhooks.Select(WebhookBody.Of)] }) : ApiProblem.NotFound())
            .Admit(KeyScopes.Read).Produces<Page<WebhookBody>>().WithName("listWebhooks").WithSummary("Lists webhooks and how they stand, without their secrets.");

        var one = all.MapGroup("/{webhook}");
        one.MapGet("", async (string tenant, string webhook) => Shown(await Grain(tenant).Webhooks(webhook))).Admit(KeyScopes.Read).Produces<WebhookBody>()
            .WithName("readWebhook").WithSummary("Shows a webhook and how it stands.");
        one.MapPatch("", (string tenant, string webhook, HttpRequest request) => PatchAsync(webhook, request, Grain(tenant))).Admit(KeyScopes.Manage).Accepts<WebhookPatch>("application/json").Produces<WebhookBody>()
            .WithName("changeWebhook").WithSummary("Changes a webhook's address or its types of events.");
        one.MapDelete("", async (string tenant, string webhook) => await Grain(tenant).RemoveWebhook(webhook) is { Problem: { } problem } ? ApiProblem.Of(problem) : Results.NoContent()).Admit(KeyScopes.Manage).Produces(204)
            .WithName("removeWebhook").WithSummary("Takes a webhook away.");
        one.MapPost("/rotate", async (string tenant, string webhook) => Secret(await Grain(tenant).RotateWebhookSecret(webhook), StatusCodes.Status200OK)).Admit(KeyScopes.Manage).Produces<WebhookSecretAnswer>()
            .WithName("rotateWebhookSecret").WithSummary("Makes a new secret; for 24 hours posts are signed with the one before, too.");
        one.MapPost("/enable", async (string tenant, string webhook) => Shown(await Grain(tenant).EnableWebhook(webhook))).Admit(KeyScopes.Manage).Produces<WebhookBody>()
            .WithName("enableWebhook").WithSummary("Has a webhook that was disabled, or waits for its next try, posted to at once, from where it was left.");
        one.MapPost("/test", async (string tenant, string webhook) => Tested(await Grain(tenant).TestWebhook(webhook)))
            .Admit(KeyScopes.Manage).Produces<WebhookTestBody>().WithName("testWebhook").WithSummary("Posts one event of the type `test`, and tells what came of it.");

        ITenantAdmin Grain(string tenant) => grains.GetGrain<ITenantAdmin>(TenantName.IsTenant(tenant) ? tenant : TenantName.Nobody);
    }

    private static async Task<IResult> AddAsync(HttpRequest request, ITenantAdmin grain)
    {
        var (body, refusal) = await Body.ReadAsync<NewWebhook>(request);
        return body is null ? refusal! : Secret(await grain.AddWebhook(new WebhookChange { Url = body.Url, Events = body.Events }), StatusCodes.Status201Created);
    }

    private static async Task<IResult> PatchAsync(string webhook, HttpRequest request, ITenantAdmin grain)
    {
        var (body, refusal) = await Body.ReadAsync<WebhookPatch>(request);
        return body is null ? refusal! : Shown(await grain.ChangeWebhook(webhook, new WebhookChange { Url = body.Url, Events = body.Events }));
    }

    private static IResult Shown(WebhookResult result) => result.Problem is { } problem ? ApiProblem.Of(problem) : Answer(WebhookBody.Of(result.Webhooks[0]));

    private static IResult Secret(WebhookResult result, int status) => result.Problem is { } problem ? ApiProblem.Of(problem)
        : Results.Json(new WebhookSecretAnswer { Webhook = WebhookBody.Of(result.Webhooks[0]), Secret = result.Secret! }, Body.Json, statusCode: status);

    private static IResult Tested(WebhookResult result) => result.Problem is { } problem ? ApiProblem.Of(problem) : Answer(WebhookTestBody.Of(result.Outcome!));

    private static IResult Answer<T>(T body) => Results.Json(body, Body.Json);
}
