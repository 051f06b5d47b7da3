using System.Diagnostics;
using Azure.Core;
using Azure.Core.Pipeline;

namespace Angarium.Spool.Azure;

/// <summary>Counts each request to one container, repeated ones too, by what a provider charges for. No state; any thread.</summary>
internal sealed class CountingPolicy(string container) : HttpPipelinePolicy
{
    public override async ValueTask ProcessAsync(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
    {
        var began = Stopwatch.GetTimestamp();
        try
        {
            await ProcessNextAsync(message, pipeline).ConfigureAwait(false);
        }
        finally
        {
            Count(message, began);
        }
    }

    public override void Process(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
    {
        var began = Stopwatch.GetTimestamp();
        try
        {
            ProcessNext(message, pipeline);
        }
        finally
        {
            Count(message, began);
        }
    }

    private void Count(HttpMessage message, long began)
    {
        var operation = Operation(message.Request);
        SpoolInstruments.StorageRequests.WithLabels(container, operation, message.HasResponse ? $"{message.Response.Status / 100}xx" : "none").Inc();
        SpoolInstruments.StorageSeconds.WithLabels(operation).Observe(Stopwatch.GetElapsedTime(began).TotalSeconds);
    }

    private static string Operation(Request request)
    {
        if (request.Method == RequestMethod.Delete) return "delete";
        if (request.Method != RequestMethod.Get && request.Method != RequestMethod.Head) return "write";
        return request.Uri.Query.Contains("comp=list", StringComparison.Ordinal) ? "list" : "read";
    }
}
