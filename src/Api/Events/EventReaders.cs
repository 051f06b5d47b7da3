using System.Collections.Concurrent;
using Angarium.Api.Callers;
using Angarium.Api.Problems;
using Microsoft.AspNetCore.Http;

namespace Angarium.Api.Events;

/// <summary>Who reads the ledger just now: so many at a time, for each reads megabytes and a trace all there is; the others wait in turn, or are told to come again. One a process; any thread.</summary>
internal sealed class EventReaders : IDisposable
{
    private const int AtOnce = 4, MayWait = 64, OfATenant = 4;

    /// <summary>Those of each tenant that read or wait: one reads at a time, so that the others' turns are not all one's.</summary>
    private readonly ConcurrentDictionary<string, Own> _own = new(StringComparer.Ordinal);

    private readonly SemaphoreSlim _turns = new(AtOnce);
    private int _present;

    public async Task<IResult> InTurnAsync(HttpContext context, Func<Task<IResult>> read)
    {
        if (Interlocked.Increment(ref _present) > AtOnce + MayWait)
        {
            Interlocked.Decrement(ref _present);
            context.Response.Headers.RetryAfter = "2";
            return ApiProblem.Of(StatusCodes.Status503ServiceUnavailable, "unavailable", "Too many read events just now, try again in a moment.");
        }

        try
        {
            return context.Caller().Tenant is { } tenant ? await OfOneAsync(context, tenant, read) : await InTurnAsync(read, context.RequestAborted);
        }
        finally
        {
            Interlocked.Decrement(ref _present);
        }
    }

    private async Task<IResult> OfOneAsync(HttpContext context, string tenant, Func<Task<IResult>> read)
    {
        var own = _own.AddOrUpdate(tenant, _ => new Own(new SemaphoreSlim(1), 1), (_, known) => known with { Present = known.Present + 1 });
        try
        {
            if (own.Present > OfATenant)
            {
                context.Response.Headers.RetryAfter = "2";
                return ApiProblem.Of(StatusCodes.Status429TooManyRequests, "too-many-requests", $"{OfATenant} of a tenant read events at a time.");
            }

            await own.Turn.WaitAsync(context.RequestAborted);
            try
            {
                return await InTurnAsync(read, context.RequestAborted);
            }
            finally
            {
                own.Turn.Release();
            }
        }
        finally
        {
            // Only the last one leaves nothing behind.
            var left = _own.AddOrUpdate(tenant, _ => own with { Present = 0 }, (_, known) => known with { Present = known.Present - 1 });
            if (left.Present == 0) _own.TryRemove(new(tenant, left));
        }
    }

    private async Task<IResult> InTurnAsync(Func<Task<IResult>> read, CancellationToken aborted)
    {
        await _turns.WaitAsync(aborted);
        try
        {
            return await read();
        }
        finally
        {
            _turns.Release();
        }
    }

    public void Dispose() => _turns.Dispose();

    private sealed record Own(SemaphoreSlim Turn, int Present);
}
