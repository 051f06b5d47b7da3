using System.Globalization;
using Angarium.Spool.Time;
using Azure.Core;
using Azure.Core.Pipeline;

namespace Angarium.Spool.Azure;

/// <summary>Gives the clock the time that stands in each answer of the blob service: no request is made for it while there is traffic. Holds no state; any thread.</summary>
internal sealed class DatePolicy(MeasuredStoreClock clock, TimeProvider time) : HttpPipelinePolicy
{
    public override async ValueTask ProcessAsync(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
    {
        var begun = time.GetTimestamp();
        await ProcessNextAsync(message, pipeline).ConfigureAwait(false);
        Take(message, begun);
    }

    public override void Process(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
    {
        var begun = time.GetTimestamp();
        ProcessNext(message, pipeline);
        Take(message, begun);
    }

    private void Take(HttpMessage message, long begun)
    {
        // RFC 9110 §5.6.7.
        if (message.HasResponse && message.Response.Headers.TryGetValue("Date", out var text)
            && DateTimeOffset.TryParseExact(text, "r", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var date)) clock.Sample(begun, time.GetTimestamp(), date);
    }
}
