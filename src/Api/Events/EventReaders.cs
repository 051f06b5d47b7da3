using Angarium.Api.Problems;
using Microsoft.AspNetCore.Http;

namespace Angarium.Api.Events;

/// <summary>Who reads the ledger just now: so many at a time, for each reads megabytes and a trace all there is; the others wait in turn, or are told to come again. One a process; any thread.</summary>
internal sealed class EventReaders : IDisposable
{
    private const int AtOnce = 4, MayWait = 64;

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
            await _turns.WaitAsync(context.RequestAborted);
            try
            {
                return await read();
            }
            finally
            {
                _turns.Release();
            }
        }
        finally
        {
            Interlocked.Decrement(ref _present);
        }
    }

    public void Dispose() => _turns.Dispose();
}
