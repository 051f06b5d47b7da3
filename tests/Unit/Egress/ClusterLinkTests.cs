using Angarium.Egress.Worker;

namespace Angarium.Unit.Egress;

/// <summary>What a worker's polls know of the connections that they are on.</summary>
public sealed class ClusterLinkTests
{
    [Fact]
    public async Task Connection_Breaks_EndsWhatWaitsAndNothingLater()
    {
        using var link = new ClusterLink();
        link.NotifyGatewayCountChanged(2, 1, connectionRecovered: false);
        var before = link.Broken;
        link.NotifyGatewayCountChanged(1, 2, connectionRecovered: false);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Task.Delay(Timeout.Infinite, before).WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken));
        Assert.False(link.Broken.IsCancellationRequested);
        Assert.False(link.IsCut);
    }

    /// <summary>Without a connection a poll is a hail, repeated soon; with one it may be held again.</summary>
    [Fact]
    public void LastConnection_Breaks_IsCutUntilTheNext()
    {
        using var link = new ClusterLink();
        Assert.False(link.IsCut);
        link.NotifyGatewayCountChanged(0, 1, connectionRecovered: false);
        link.NotifyClusterConnectionLost();
        Assert.True(link.IsCut);
        link.NotifyGatewayCountChanged(1, 0, connectionRecovered: true);
        Assert.False(link.IsCut);
    }
}
