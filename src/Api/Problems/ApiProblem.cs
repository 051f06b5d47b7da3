using Angarium.Contracts.Tenants;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;

namespace Angarium.Api.Problems;

/// <summary>Refusals as RFC 9457 problem details: `type` names the kind, `detail` says it for people, `field` which member of the request is to blame. No state.</summary>
internal static class ApiProblem
{
    /// <summary>What begins each `type`: relative, so that it is found where the API itself is.</summary>
    private const string Types = "/docs#problem-";

    public static IResult NotFound() => Of(StatusCodes.Status404NotFound, "not-found", "There is no such thing, or it is not yours.");

    public static IResult Invalid(string field, string detail) => Of(StatusCodes.Status422UnprocessableEntity, "invalid", detail, field);

    public static IResult Of(Problem problem) => problem.Kind switch
    {
        ProblemKind.NotFound => NotFound(),
        ProblemKind.Invalid => Invalid(problem.Field, problem.Detail),
        ProblemKind.Conflict => Of(StatusCodes.Status409Conflict, "conflict", problem.Detail, problem.Field),
        ProblemKind.Stale => Of(StatusCodes.Status412PreconditionFailed, "changed", problem.Detail),
        ProblemKind.Full => Of(StatusCodes.Status409Conflict, "full", problem.Detail, problem.Field),
        _ => Of(StatusCodes.Status503ServiceUnavailable, "unavailable", problem.Detail, problem.Field),
    };

    public static IResult Of(int status, string kind, string detail, string field = "")
    {
        var problem = new ProblemDetails { Type = Types + kind, Title = kind.Replace('-', ' '), Status = status, Detail = detail };
        if (field.Length > 0) problem.Extensions["field"] = field;
        return Results.Problem(problem);
    }
}
