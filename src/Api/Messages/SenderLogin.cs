using Angarium.Api.Callers;
using Angarium.Api.Problems;
using Angarium.Contracts.Intake;
using Microsoft.AspNetCore.Http;

namespace Angarium.Api.Messages;

/// <summary>Stands before sending: whose the key is, before anything of the request is read or remembered. Any thread.</summary>
internal sealed class SenderLogin(IMessageIntake intake, Strangers strangers) : IEndpointFilter
{
    private const string Scheme = "Bearer ";

    /// <summary>No key is longer.</summary>
    private const int MaxKey = 256;

    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        if (!strangers.MayTry(http.Connection.RemoteIpAddress)) return Guard.TooManyStrangers(http);
        if (http.Request.Headers.Authorization is [{ Length: <= MaxKey } header] && header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            var login = await intake.LoginAsync(header[Scheme.Length..].Trim());
            if (login.IsUnreachable) return ApiProblem.Of(StatusCodes.Status503ServiceUnavailable, "unavailable", "The key cannot be checked now, try again in a moment.");
            if (login.Tenant is { } tenant)
            {
                http.Items[typeof(IIntakeTenant)] = tenant;
                return await next(context);
            }
        }

        strangers.Failed(http.Connection.RemoteIpAddress);
        http.Response.Headers.WWWAuthenticate = "Bearer";
        return ApiProblem.Of(StatusCodes.Status401Unauthorized, "unauthorized", "Send `Authorization: Bearer` with an API key that may send.");
    }

    /// <summary>Who has logged in.</summary>
    public static IIntakeTenant Of(HttpContext http) => (IIntakeTenant)http.Items[typeof(IIntakeTenant)]!;
}
