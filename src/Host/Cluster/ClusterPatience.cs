using Microsoft.Extensions.Logging;

namespace Angarium.Host.Cluster;

/// <summary>A client that starts before the silos waits for them, until it is stopped: in what order processes start is nobody's business. Called by Orleans at start; no state that matters.</summary>
internal sealed partial class ClusterPatience(TimeProvider time, ILogger<ClusterPatience> log) : IClientConnectionRetryFilter
{
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);
    private bool _waited;

    public async Task<bool> ShouldRetryConnectionAttempt(Exception exception, CancellationToken cancellationToken)
    {
        if (!_waited) Waiting(log, exception.Message);
        _waited = true;
        await Task.Delay(s_pause, time, cancellationToken);
        return true;
    }

    [LoggerMessage(5202, LogLevel.Warning, "waiting for a silo of the cluster: {Reason}")]
    private static partial void Waiting(ILogger logger, string reason);
}
