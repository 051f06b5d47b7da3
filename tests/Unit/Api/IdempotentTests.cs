using System.Reflection;
using Angarium.Api.Requests;
using Angarium.Contracts.Requests;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans;

namespace Angarium.Unit.Api;

/// <summary>What has begun under a name is remembered, whoever has gone meanwhile; what was refused or broke is not.</summary>
public sealed class IdempotentTests : IRememberedRequest, IDisposable
{
    private readonly CancellationTokenSource _gone = new();
    private RememberedAnswer? _remembered;
    private bool _isForgotten, _isAway;

    public void Dispose() => _gone.Dispose();

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task Request_CarriedOut_IsRememberedWhateverHappensMeanwhile(bool callerGoes, bool isAway)
    {
        _isAway = isAway;
        var http = await AskAsync(202, callerGoes);
        Assert.Equal((202, "done"), (http.Response.StatusCode, Text(http)));
        Assert.False(_isForgotten);
        if (!isAway) Assert.Equal(202, _remembered!.Status);
        // Who asked is known again to whatever comes behind.
        Assert.Equal(callerGoes, http.RequestAborted.IsCancellationRequested);
    }

    [Fact]
    public async Task Request_Refused_IsForgotten()
    {
        Assert.Equal(422, (await AskAsync(422, callerGoes: false)).Response.StatusCode);
        Assert.True(_isForgotten);
        Assert.Null(_remembered);
    }

    private async Task<HttpContext> AskAsync(int status, bool callerGoes)
    {
        var http = new DefaultHttpContext { Request = { Method = "POST", Path = "/v1/messages", Headers = { ["Idempotency-Key"] = "one" } }, Response = { Body = new MemoryStream() } };
        http.Features.Set<IHttpRequestLifetimeFeature>(new HttpRequestLifetimeFeature { RequestAborted = _gone.Token });
        var grains = DispatchProxy.Create<IGrainFactory, Grains>();
        ((Grains)(object)grains).Request = this;
        var filter = new Idempotent(grains, NullLogger<Idempotent>.Instance);
        var result = await filter.InvokeAsync(new DefaultEndpointFilterInvocationContext(http), _ =>
        {
            if (callerGoes) _gone.Cancel();
            return ValueTask.FromResult<object?>(new Written(status, "done"));
        });
        await ((IResult)result!).ExecuteAsync(http);
        return http;
    }

    private static string Text(HttpContext http) => System.Text.Encoding.UTF8.GetString(((MemoryStream)http.Response.Body).ToArray());

    Task<RequestMemory> IRememberedRequest.Begin(byte[] digest) => Task.FromResult(new RequestMemory { Standing = RequestStanding.New, Ticket = 1 });

    Task IRememberedRequest.Complete(long ticket, RememberedAnswer answer)
    {
        if (_isAway) throw new IOException("the store is away");
        _remembered = answer;
        return Task.CompletedTask;
    }

    Task IRememberedRequest.GiveUp(long ticket)
    {
        _isForgotten = true;
        return Task.CompletedTask;
    }

    public class Grains : DispatchProxy
    {
        public object? Request { get; set; }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => Request;
    }

    private sealed class Written(int status, string text) : IResult
    {
        public async Task ExecuteAsync(HttpContext http)
        {
            http.Response.StatusCode = status;
            await http.Response.WriteAsync(text, http.RequestAborted);
        }
    }
}
