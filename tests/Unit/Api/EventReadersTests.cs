using Angarium.Api.Callers;
using Angarium.Api.Events;
using Angarium.Contracts.Tenants;
using Microsoft.AspNetCore.Http;

namespace Angarium.Unit.Api;

/// <summary>Readers of the ledger take turns, and no tenant takes those of all others.</summary>
public sealed class EventReadersTests : IDisposable
{
    private readonly EventReaders _readers = new();

    public void Dispose() => _readers.Dispose();

    [Fact]
    public async Task Read_OneTenantsMany_LeaveTurnsToAnother()
    {
        var gate = new TaskCompletionSource();
        var reading = 0;
        async Task<IResult> HogAsync()
        {
            Interlocked.Increment(ref reading);
            await gate.Task;
            return Results.Ok();
        }

        var hogs = Enumerable.Range(0, 4).Select(_ => _readers.InTurnAsync(Of("hog"), HogAsync)).ToList();
        var refused = Of("hog");
        Assert.Equal(429, Assert.IsAssignableFrom<IStatusCodeHttpResult>(await _readers.InTurnAsync(refused, HogAsync)).StatusCode);
        Assert.Equal("2", refused.Response.Headers.RetryAfter);
        Assert.Equal(1, reading);
        Assert.IsAssignableFrom<IStatusCodeHttpResult>(await _readers.InTurnAsync(Of("other"), () => Task.FromResult(Results.Ok())));
        Assert.IsAssignableFrom<IStatusCodeHttpResult>(await _readers.InTurnAsync(Of(null), () => Task.FromResult(Results.Ok())));
        gate.SetResult();
        await Task.WhenAll(hogs);
        Assert.Equal(4, reading);
        // And nothing of it stays.
        Assert.Equal(200, Assert.IsAssignableFrom<IStatusCodeHttpResult>(await _readers.InTurnAsync(Of("hog"), () => Task.FromResult(Results.Ok()))).StatusCode);
    }

    private static DefaultHttpContext Of(string? tenant) => new() { Items = { [typeof(Caller)] = new Caller(tenant, KeyScopes.Read, "k", "key k") } };
}
