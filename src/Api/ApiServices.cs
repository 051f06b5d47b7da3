using Angarium.Api.Administrators;
using Angarium.Api.Callers;
using Angarium.Api.Events;
using Angarium.Api.Inbound;
using Angarium.Api.Messages;
using Angarium.Api.Operators;
using Angarium.Api.Problems;
using Angarium.Api.Reference;
using Angarium.Api.Requests;
using Angarium.Api.Tenants;
using Angarium.Api.Webhooks;
using Angarium.Contracts.Administrators;
using Angarium.Contracts.Intake;
using Angarium.Contracts.Tenants;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;

namespace Angarium.Api;

/// <summary>How the process puts the API in: its services, and its routes.</summary>
public static partial class ApiServices
{
    /// <summary>Needs ISettings&lt;ApiOptions&gt; and an Orleans grain factory from the host.</summary>
    /// <param name="services">Where to register.</param>
    /// <param name="drawn">The administrator's key of this start, in development.</param>
    public static IServiceCollection AddApi(this IServiceCollection services, string? drawn)
    {
        services.AddSingleton(new DrawnKey(drawn));
        services.AddSingleton<Callers.Callers>();
        services.AddSingleton<Guard>();
        services.AddSingleton<EventReaders>();
        services.AddSending();
        services.AddOpenApi("v1", options =>
        {
            options.ShouldInclude = route => route.RelativePath?.StartsWith("v1/", StringComparison.Ordinal) == true;
            options.AddDocumentTransformer((document, _, _) =>
            {
                document.Info.Title = "Angarium";
                document.Info.Version = "1";
                document.Servers?.Clear();
                return Task.CompletedTask;
            });
        });
        services.ConfigureHttpJsonOptions(options =>
        {
            options.SerializerOptions.UnmappedMemberHandling = Body.Json.UnmappedMemberHandling;
            options.SerializerOptions.NumberHandling = Body.Json.NumberHandling;
        });
        return services;
    }

    /// <summary>What sending alone needs. Needs an Orleans grain factory from the host.</summary>
    public static IServiceCollection AddSending(this IServiceCollection services)
    {
        services.TryAddSingleton<Idempotent>();
        services.TryAddSingleton<Strangers>();
        // A parameter that cannot be read is answered alike, whatever the environment.
        services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = false);
        return services;
    }

    /// <summary>What no route takes (no such path, another method, another type of content) is answered as a problem too, and so is what nobody expected, which is logged. Before routing.</summary>
    public static void UseApiProblems(this IApplicationBuilder app) => app.Use(async (context, next) =>
    {
        context.Response.OnStarting(EndWhereNotRead, context);
        try
        {
            await next(context);
        }
        catch (Exception e) when (!context.Response.HasStarted && !context.RequestAborted.IsCancellationRequested && context.Request.Path.StartsWithSegments("/v1"))
        {
            if (e is not BadHttpRequestException bad)
            {
                var log = context.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger("Angarium.Api");
                var route = context.GetEndpoint()?.DisplayName ?? "";
                await Failed(log, e, context.Request.Method, route, context.Response.Headers).ExecuteAsync(context);
                return;
            }

            context.Response.StatusCode = bad.StatusCode;
        }

        if (context.Response is not { HasStarted: false, StatusCode: >= 400 } || context.Response.ContentType is not null || !context.Request.Path.StartsWithSegments("/v1")) return;
        var status = context.Response.StatusCode;
        await (status switch
        {
            StatusCodes.Status404NotFound => ApiProblem.NotFound(),
            StatusCodes.Status405MethodNotAllowed => ApiProblem.Of(status, "method", "This path does not take that method; see `Allow`."),
            StatusCodes.Status415UnsupportedMediaType => ApiProblem.Of(status, "media-type", "This path does not take that type of content."),
            _ => ApiProblem.Of(status, "malformed", "The request is not what is asked for here."),
        }).ExecuteAsync(context);
    });

    /// <summary>A body that is larger than it may be is not read, so the connection ends behind the answer: who sends is told, and sends its next request on another (RFC 9112 §9.6).</summary>
    private static Task EndWhereNotRead(object state)
    {
        var context = (HttpContext)state;
        if (context.Request.ContentLength > context.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize) context.Response.Headers.Connection = "close";
        return Task.CompletedTask;
    }

    private static IResult Failed(ILogger log, Exception e, string method, string route, IHeaderDictionary headers)
    {
        if (e is IOException or TimeoutException or OrleansException)
        {
            // A silo or a store is away, or the tenant on its way to another silo: it may be asked again.
            Unavailable(log, method, route, e.Message);
            headers.RetryAfter = "2";
            return ApiProblem.Of(StatusCodes.Status503ServiceUnavailable, "unavailable", "Try again in a moment.");
        }

        Unexpected(log, e, method, route);
        return ApiProblem.Of(StatusCodes.Status500InternalServerError, "internal", "The relay failed at this request; its log says how.");
    }

    [LoggerMessage(5101, LogLevel.Warning, "A request could not be carried out now: {Method} {Route}: {Why}")]
    private static partial void Unavailable(ILogger logger, string method, string route, string why);

    [LoggerMessage(5100, LogLevel.Error, "A request failed: {Method} {Route}")]
    private static partial void Unexpected(ILogger logger, Exception exception, string method, string route);

    /// <summary>Sending alone: what a process of the role `ingress` serves.</summary>
    /// <param name="endpoints">Where.</param>
    /// <param name="maxSize">Octets of a message.</param>
    public static void MapSending(this IEndpointRouteBuilder endpoints, Func<long> maxSize)
    {
        var intake = endpoints.ServiceProvider.GetRequiredService<IMessageIntake>();
        // Base64 takes four thirds, and JSON some more.
        endpoints.MapGroup("").AddEndpointFilter(new SenderLogin(intake, endpoints.ServiceProvider.GetRequiredService<Strangers>())).AddEndpointFilter(endpoints.ServiceProvider.GetRequiredService<Idempotent>()).MapMessages(intake, maxSize, () => Math.Max(Body.Max, maxSize() / 2 * 3));
    }

    /// <summary>The routes of the role `api`. What is none is answered as a problem too.</summary>
    /// <param name="endpoints">Where.</param>
    /// <param name="ledger">What events are read from.</param>
    public static void MapApi(this IEndpointRouteBuilder endpoints, Spool.Ledger.ILedgerStore ledger)
    {
        var guarded = endpoints.MapGroup("").AddEndpointFilter(endpoints.ServiceProvider.GetRequiredService<Guard>()).AddEndpointFilter(endpoints.ServiceProvider.GetRequiredService<Idempotent>());
        guarded.MapEvents(ledger, endpoints.ServiceProvider.GetRequiredService<EventReaders>());
        guarded.MapAdministrators(endpoints.ServiceProvider.GetRequiredService<IGrainFactory>());
        guarded.MapTenants(endpoints.ServiceProvider.GetRequiredService<IGrainFactory>());
        guarded.MapInbound(endpoints.ServiceProvider.GetRequiredService<IGrainFactory>());
        guarded.MapWebhooks(endpoints.ServiceProvider.GetRequiredService<IGrainFactory>());
        guarded.MapOperators(endpoints.ServiceProvider.GetRequiredService<IGrainFactory>());
        endpoints.MapOpenApi("/openapi/{documentName}.json");
        endpoints.MapReference();
    }

    /// <summary>What operators see and order, without a key: for who may open the socket in `Data`. They are described once, where a key is asked for.</summary>
    /// <param name="endpoints">Where.</param>
    /// <param name="ledger">What events are read from.</param>
    public static void MapOperatorsHere(this IEndpointRouteBuilder endpoints, Spool.Ledger.ILedgerStore ledger)
    {
        var here = endpoints.MapGroup("").ExcludeFromDescription().AddEndpointFilter((context, next) =>
        {
            context.HttpContext.Items[typeof(Caller)] = new Caller(null, KeyScopes.All, Actor.Operator, Actor.Operator);
            Actor.Set(Actor.Operator);
            return next(context);
        });
        ((IEndpointConventionBuilder)here).Finally(route =>
        {
            // No two have one name.
            foreach (var name in route.Metadata.OfType<IEndpointNameMetadata>().ToArray()) route.Metadata.Remove(name);
        });
        here.MapEvents(ledger, endpoints.ServiceProvider.GetRequiredService<EventReaders>());
        here.MapOperators(endpoints.ServiceProvider.GetRequiredService<IGrainFactory>());
    }
}
