using System.Threading.RateLimiting;
using Angarium.Api.Problems;
using Angarium.Contracts.Administrators;
using Angarium.Contracts.Configuration;
using Angarium.Contracts.Tenants;
using Angarium.Mail.Tenants;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Angarium.Api.Callers;

/// <summary>Who may use a route. Every route of the API carries one: a test asks for it.</summary>
/// <param name="Scopes">What a key of the tenant that the route names must be good for; none = administrators only.</param>
internal sealed record Admits(KeyScopes Scopes);

/// <summary>
/// Stands before every route: who calls, whether that may, and not too often. A tenant of another's is answered like one that is not there, so that nobody learns which there are. Any thread.
/// </summary>
internal sealed class Guard(Callers callers, Strangers strangers, ISettings<ApiOptions> settings) : IEndpointFilter, IDisposable
{
    private const int Burst = 3;

    private readonly Allowances<Caller, string> _limits = new(caller => RateLimitPartition.GetTokenBucketLimiter(caller.Key, _ => new TokenBucketRateLimiterOptions
    {
        TokensPerPeriod = settings.Current.RequestsPerSecond, TokenLimit = settings.Current.RequestsPerSecond * Burst, ReplenishmentPeriod = TimeSpan.FromSeconds(1), AutoReplenishment = true,
    }));

    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        if (!strangers.MayTry(http.Connection.RemoteIpAddress)) return TooManyStrangers(http);
        if (await callers.FindAsync(http.Request) is not { } caller)
        {
            strangers.Failed(http.Connection.RemoteIpAddress);
            http.Response.Headers.WWWAuthenticate = "Bearer";
            return ApiProblem.Of(StatusCodes.Status401Unauthorized, "unauthorized", "Send `Authorization: Bearer` with an API key.");
        }

        if (!_limits.TryTake(caller))
        {
            http.Response.Headers.RetryAfter = "1";
            return ApiProblem.Of(StatusCodes.Status429TooManyRequests, "too-many-requests", $"A key has {settings.Current.RequestsPerSecond} requests a second.");
        }

        var admits = http.GetEndpoint()?.Metadata.GetMetadata<Admits>() ?? new Admits(KeyScopes.None);
        if (http.GetRouteValue("tenant") is string tenant && !(TenantName.IsTenant(tenant) && caller.MayActFor(tenant))) return ApiProblem.NotFound();
        if (!caller.IsAdministrator && (admits.Scopes == KeyScopes.None || (caller.Scopes & admits.Scopes) != admits.Scopes))
            return ApiProblem.Of(StatusCodes.Status403Forbidden, "forbidden", admits.Scopes == KeyScopes.None ? "Only an administrator may do that." : $"The key needs the scope `{admits.Scopes.ToString().ToLowerInvariant()}`.");
        http.Items[typeof(Caller)] = caller;
        Actor.Set(caller.Actor);
        return await next(context);
    }

    public static IResult TooManyStrangers(HttpContext http)
    {
        http.Response.Headers.RetryAfter = "10";
        return ApiProblem.Of(StatusCodes.Status429TooManyRequests, "too-many-requests", "Too many requests of your network had a key that is none.");
    }

    public void Dispose() => _limits.Dispose();
}

/// <summary>Marks routes with whom they admit.</summary>
internal static class Guarding
{
    public static TBuilder Admit<TBuilder>(this TBuilder route, KeyScopes scopes) where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new Admits(scopes));

    public static TBuilder AdmitAdministrators<TBuilder>(this TBuilder route) where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new Admits(KeyScopes.None));

    public static Caller Caller(this HttpContext context) => (Caller)context.Items[typeof(Caller)]!;
}
