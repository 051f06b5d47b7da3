using Azure.Core;
using Azure.Core.Pipeline;
using Request = Azure.Core.Request;

namespace Angarium.TestKit.Servers;

/// <summary>Sees every request to a blob service, repeated ones too: counts them, and loses the answers or the requests that a test wants lost. Any thread.</summary>
public sealed class RequestSpy : HttpPipelinePolicy
{
    private readonly List<string> _requests = [];

    /// <summary>Lost after the service has answered: the caller cannot know.</summary>
    public Func<Request, bool> LosesAnswer { get; set; } = _ => false;

    /// <summary>Called before a request leaves; may hold it back or fail it.</summary>
    public Func<Request, Task> Before { get; set; } = _ => Task.CompletedTask;

    /// <summary>Called with each answer before its caller has it; may put another in its place.</summary>
    public Func<HttpMessage, Task> After { get; set; } = _ => Task.CompletedTask;

    /// <summary>Since the last <see cref="Take"/>: method, status and what it was about.</summary>
    public IReadOnlyList<string> Take()
    {
        lock (_requests)
        {
            var taken = _requests.ToList();
            _requests.Clear();
            return taken;
        }
    }

    public override async ValueTask ProcessAsync(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
    {
        await Before(message.Request);
        await ProcessNextAsync(message, pipeline);
        await After(message);
        lock (_requests) _requests.Add($"{message.Request.Method} {message.Response.Status}");
        if (!LosesAnswer(message.Request)) return;
        message.Response.Dispose();
        throw new IOException("The answer was lost");
    }

    public override void Process(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline) => throw new NotSupportedException();
}
