using System.Security.Cryptography;
using System.Text;
using Angarium.Api.Problems;
using Angarium.Contracts.Requests;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;

namespace Angarium.Api.Requests;

/// <summary>
/// `Idempotency-Key` on every POST: the same request of the same caller under the same name is carried out once within a day, and answered alike each time. What was refused, or broke,
/// is not remembered: it is judged again. Before the route and behind who calls, so that strangers leave nothing; any thread.
/// </summary>
internal sealed partial class Idempotent(IGrainFactory grains, ILogger<Idempotent> log) : IEndpointFilter
{
    private const string Header = "Idempotency-Key";
    private const int MaxName = 255, MaxAnswer = 1 << 20, InMemory = 64 << 10;

    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        if (!HttpMethods.IsPost(http.Request.Method) || http.Request.Headers[Header] is not { Count: > 0 } names) return await next(context);
        if (names is not [{ Length: > 0 and <= MaxName } name] || name.Any(c => c is < '!' or > '~')) return ApiProblem.Invalid(Header, $"One word of at most {MaxName} printable characters.");
        var grain = grains.GetGrain<IRememberedRequest>(Key(http.Request, name));
        var memory = await grain.Begin(await DigestAsync(http.Request));
        switch (memory.Standing)
        {
            case RequestStanding.Done:
                http.Response.Headers["Idempotency-Replayed"] = "true";
                return Replay(memory.Answer!);
            case RequestStanding.Other:
                return ApiProblem.Invalid(Header, "Another request bore this name within the last 24 hours.");
            case RequestStanding.Running:
                http.Response.Headers.RetryAfter = "1";
                return ApiProblem.Of(StatusCodes.Status409Conflict, "running", "The first request of this name is being carried out.");
        }

        // What has begun is carried out and remembered, whether who asked is still there or not: it may ask again.
        var gone = http.RequestAborted;
        http.RequestAborted = CancellationToken.None;
        var isDone = false;
        try
        {
            var answer = await CaptureAsync(http, await next(context));
            isDone = answer.Status < 300;
            if (isDone && answer.Body.Length <= MaxAnswer) await RememberAsync(grain, memory.Ticket, answer);
            return Replay(answer);
        }
        finally
        {
            http.RequestAborted = gone;
            if (!isDone) await grain.GiveUp(memory.Ticket);
        }
    }

    /// <summary>What was done is answered, also when that cannot be written down: it is remembered then for as long as its silo lives, or runs, as far as its name goes.</summary>
    private async Task RememberAsync(IRememberedRequest grain, long ticket, RememberedAnswer answer)
    {
        try
        {
            await grain.Complete(ticket, answer);
        }
        catch (Exception e) when (e is IOException or TimeoutException or OrleansException)
        {
            NotRemembered(e.Message);
        }
    }

    [LoggerMessage(5102, LogLevel.Warning, "The answer to a request with an Idempotency-Key could not be remembered: {Why}")]
    private partial void NotRemembered(string why);

    /// <summary>Whose request for what it is: nobody else's name is in its way, and none of it can be read from it.</summary>
    private static string Key(HttpRequest request, string name) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{request.Headers.Authorization}\n{request.Path}{request.QueryString}\n{name}")));

    private static async Task<byte[]> DigestAsync(HttpRequest request)
    {
        request.EnableBuffering(InMemory);
        var digest = await SHA256.HashDataAsync(request.Body, request.HttpContext.RequestAborted);
        request.Body.Position = 0;
        return digest;
    }

    /// <summary>Carries the route's result out into memory.</summary>
    private static async Task<RememberedAnswer> CaptureAsync(HttpContext http, object? result)
    {
        var body = http.Response.Body;
        using var captured = new MemoryStream();
        http.Response.Body = captured;
        try
        {
            if (result is IResult outcome) await outcome.ExecuteAsync(http);
            await http.Response.Body.FlushAsync(CancellationToken.None);
        }
        finally
        {
            http.Response.Body = body;
        }

        return new RememberedAnswer { Status = http.Response.StatusCode, ContentType = http.Response.ContentType ?? "", Body = captured.ToArray() };
    }

    private static Answered Replay(RememberedAnswer answer) => new Answered(answer);

    private sealed class Answered(RememberedAnswer answer) : IResult
    {
        public async Task ExecuteAsync(HttpContext http)
        {
            http.Response.StatusCode = answer.Status;
            if (answer.ContentType.Length > 0) http.Response.ContentType = answer.ContentType;
            if (answer.Body.Length > 0) await http.Response.Body.WriteAsync(answer.Body);
        }
    }
}
