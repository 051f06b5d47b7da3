using System.ComponentModel;
using Angarium.Api.Callers;
using Angarium.Api.Problems;
using Angarium.Api.Tenants;
using Angarium.Contracts.Administrators;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Angarium.Api.Administrators;

/// <summary>Administrators' keys over HTTP. No state; any thread.</summary>
internal static class AdministratorEndpoints
{
    private const int MaxName = 200;

    public static void MapAdministrators(this IEndpointRouteBuilder routes, IGrainFactory grains)
    {
        var keys = routes.MapGroup("/v1/administrators").WithTags("Administrators");
        keys.MapPost("", (HttpRequest request) => AddAsync(request, Grain())).AdmitAdministrators().Accepts<Named>("application/json").Produces<NewKeyAnswer>(201)
            .WithName("addAdministrator").WithSummary("Makes a key of an administrator.");
        keys.MapGet("", async () => Results.Json(new Page<AdministratorBody> { Items = [.. (await Grain().List()).Select(AdministratorBody.Of)] }, Body.Json)).AdmitAdministrators().Produces<Page<AdministratorBody>>()
            .WithName("listAdministrators").WithSummary("Lists administrators' keys, without the keys themselves and the one of the configuration.");
        keys.MapDelete("/{key}", async (string key) => await Grain().Remove(key) ? Results.NoContent() : ApiProblem.NotFound()).AdmitAdministrators().Produces(204)
            .WithName("removeAdministrator").WithSummary("Takes an administrator's key away.");

        IAdministrators Grain() => grains.GetGrain<IAdministrators>(0);
    }

    private static async Task<IResult> AddAsync(HttpRequest request, IAdministrators grain)
    {
        var (body, refusal) = await Body.ReadAsync<Named>(request);
        if (body is null) return refusal!;
        if (body.Name.Trim().Length == 0 || body.Name.Length > MaxName || body.Name.Any(char.IsControl)) return ApiProblem.Invalid("name", $"1 to {MaxName} printable characters.");
        return await grain.Add(body.Name) is { } made
            ? Results.Json(new NewKeyAnswer { Id = made.Id, Key = made.Secret }, Body.Json, statusCode: StatusCodes.Status201Created)
            : ApiProblem.Of(StatusCodes.Status409Conflict, "full", "There are as many administrators' keys as there may be.", "name");
    }
}

/// <summary>An administrator's key without its secret.</summary>
internal sealed record AdministratorBody
{
    public required string Id { get; init; }

    public required string Name { get; init; }

    public DateTimeOffset Created { get; init; }

    [Description("Whose key made it.")]
    public required string CreatedBy { get; init; }

    public static AdministratorBody Of(AdministratorView view) => new() { Id = view.Id, Name = view.Name, Created = view.Created, CreatedBy = view.CreatedBy };
}
