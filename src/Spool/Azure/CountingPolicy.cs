using Azure.Core;
using Azure.Core.Pipeline;

namespace Angarium.Spool.Azure;

/// <summary>Counts each request to one container, repeated ones too, by what a provider charges for. No state; any thread.</summary>
internal sealed class CountingPolicy(string container) : HttpPipelinePolicy
{
    public override async ValueTask ProcessAsync(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
    {
        try
        {
            await ProcessNextAsync(message, pipeline).ConfigureAwait(false);
        }
        finally
        {
            Count(message);
        }
    }

    public override void Process(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
    {
        try
        {
            ProcessNext(message, pipeline);
        }
        finally
        {
            Count(message);
        }
    }

    private void Count(HttpMessage message) =>
        SpoolInstruments.StorageRequests.WithLabels(container, Operation(message.Request), message.HasResponse ? $"{message.Response.Status / 100}xx" : "none").Inc();

    private static string Operation(Request request)
    {
        if (request.Method == RequestMethod.Delete) return "delete";
        if (request.Method != RequestMethod.Get && request.Method != RequestMethod.Head) return "write";
        return request.Uri.Query.Contains("comp=list", StringComparison.Ordinal) ? "list" : "read";
    }
}
