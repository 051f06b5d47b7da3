using System.Threading.Channels;

namespace Angarium.Grains.Webhooks;

/// <summary>Says within a silo that a webhook was made or changed, so that nobody waits for the next look. Any thread; may be lost: the look comes anyway.</summary>
internal sealed class WebhookHints
{
    private readonly Channel<byte> _changed = Channel.CreateBounded<byte>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public void Changed() => _changed.Writer.TryWrite(0);

    /// <summary>Returns on a change, or after so long.</summary>
    public async Task WaitAsync(TimeSpan longest, TimeProvider time, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(longest, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await _changed.Reader.ReadAsync(both.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // It is time to look.
        }
    }
}
