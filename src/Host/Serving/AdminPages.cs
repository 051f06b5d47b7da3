using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Prometheus;

namespace Angarium.Host.Serving;

/// <summary>What `Admin:Listen` shows: metrics and health. Nothing here changes anything. Any thread.</summary>
internal static class AdminPages
{
    public static void MapAdmin(this IEndpointRouteBuilder endpoints, Readiness readiness)
    {
        endpoints.MapMetrics("/metrics");
        endpoints.MapGet("/healthz", () => Results.Text("ok\n"));
        endpoints.MapGet("/readyz", () => readiness.Trouble is { } trouble
            ? Results.Text($"not ready: {trouble}\n", statusCode: StatusCodes.Status503ServiceUnavailable)
            : Results.Text("ready\n"));
    }
}
