using System.Diagnostics;
using Angarium.Spool.Azure;
using Angarium.Spool.Files;
using Azure;
using Azure.Storage.Blobs.Specialized;

namespace Angarium.Spool;

/// <summary>How a container of the blob stores answers this process. A value.</summary>
/// <param name="Container">Its name without the prefix.</param>
/// <param name="Latency">Of one small request.</param>
/// <param name="ClockOff">How far this machine's clock is ahead of the store's, which tells whole seconds; null = it told no time.</param>
/// <param name="KeyEnds">When the key ends that opens it; null = there is none that says so.</param>
/// <param name="Trouble">Why it cannot be used, in one line without secrets; null = it can, as far as reading tells.</param>
public sealed record AzureProbe(string Container, TimeSpan Latency, TimeSpan? ClockOff, DateTimeOffset? KeyEnds, string? Trouble)
{
    /// <summary>Asks each container that processes with these rights use for a blob, which need not be there. Nothing is written.</summary>
    public static async Task<IReadOnlyList<AzureProbe>> AskAsync(AzureStoreOptions options, StoreRights rights, TimeProvider time, CancellationToken cancellationToken)
    {
        try
        {
            using var containers = new AzureContainers(options);
            var answers = new List<AzureProbe>();
            foreach (var name in AzureStores.Wanted(rights))
                answers.Add(containers[name] is { } container ? await AskAsync(container, rights, time, cancellationToken).ConfigureAwait(false) : new AzureProbe(name, default, null, null, $"Spool:Containers:{name}: must be given, or Spool:Azure."));
            return answers;
        }
        catch (StoreUnavailableException wrong)
        {
            return [new AzureProbe("", default, null, null, wrong.Message)];
        }
    }

    private static async Task<AzureProbe> AskAsync(AzureContainer container, StoreRights rights, TimeProvider time, CancellationToken cancellationToken)
    {
        // The first request opens the connection.
        await ProbeAsync(container, cancellationToken).ConfigureAwait(false);
        var began = Stopwatch.GetTimestamp();
        var (date, trouble) = await ProbeAsync(container, cancellationToken).ConfigureAwait(false);
        var took = Stopwatch.GetElapsedTime(began);
        if (trouble is RequestFailedException refused && !AzureStores.IsRefused(refused, container, rights)) trouble = null;
        // The second that it told began up to a second before, and it told it on the way.
        var off = date is { } told ? time.GetUtcNow() - took / 2 - told - TimeSpan.FromSeconds(0.5) : (TimeSpan?)null;
        return new AzureProbe(container.Name, took, off, container.Ends, trouble is null ? null : $"{container.Setting}: {AzureErrors.Describe(trouble)}");
    }

    private static async Task<(DateTimeOffset? Date, Exception? Trouble)> ProbeAsync(AzureContainer container, CancellationToken cancellationToken)
    {
        try
        {
            using var attempt = AzureErrors.Attempt(cancellationToken);
            var answer = await container.Writes.GetBlobBaseClient("membership").GetPropertiesAsync(cancellationToken: attempt.Token).ConfigureAwait(false);
            return (answer.GetRawResponse().Headers.Date, null);
        }
        catch (Exception failure) when (AzureErrors.IsFailure(failure, cancellationToken))
        {
            return ((failure as RequestFailedException)?.GetRawResponse()?.Headers.Date, failure);
        }
    }
}
