using Angarium.Contracts.Webhooks;
using Angarium.Grains.Webhooks;

namespace Angarium.Unit.Grains.Webhooks;

/// <summary>Who is posted to next, and who is not in whose way.</summary>
public sealed class WebhookDeskTests
{
    private readonly WebhookDesk _desk = new();

    private static WebhookPost Post(string tenant, string host, bool isSlow = false) => new() { Tenant = tenant, Url = $"https://{host}/x", Body = new byte[10], IsSlow = isSlow };

    [Fact]
    public void Take_GivesThemInOrder_AndNoneTwice()
    {
        long[] numbers = [.. Enumerable.Range(0, 5).Select(i => _desk.Offer(Post($"t{i}", $"h{i}"))!.Value)];
        Assert.Equal(numbers[..3], _desk.Take("e", 3, 64).Select(o => o.Number));
        Assert.Equal(numbers[3..], _desk.Take("f", 64, 64).Select(o => o.Number));
        Assert.Empty(_desk.Take("e", 64, 64));
    }

    [Fact]
    public void Take_OneTenantsManyPosts_LeaveRoomForAnother()
    {
        long[] numbers = [.. Enumerable.Range(0, WebhookDesk.PerTenant + 5).Select(i => _desk.Offer(Post("hog", $"h{i}"))!.Value)];
        var other = _desk.Offer(Post("other", "h"))!.Value;
        Assert.Equal([.. numbers[..WebhookDesk.PerTenant], other], _desk.Take("e", 64, 64).Select(o => o.Number));
        Assert.True(_desk.End(numbers[0]));
        Assert.Equal([numbers[WebhookDesk.PerTenant]], _desk.Take("e", 64, 64).Select(o => o.Number));
    }

    [Fact]
    public void Offer_OneTenantsManyPosts_LeaveRoomForAnother()
    {
        for (var i = 0; i < WebhookDesk.MaxWaitingPerTenant; i++) Assert.NotNull(_desk.Offer(Post("hog", $"h{i}")));
        Assert.Null(_desk.Offer(Post("hog", "h")));
        Assert.NotNull(_desk.Offer(Post("other", "h")));
    }

    [Fact]
    public void Take_OneHostOfManyTenants_HasAShareOnly()
    {
        for (var i = 0; i < 3 * WebhookDesk.PerHost; i++) _desk.Offer(Post($"t{i}", i % 2 == 0 ? "slow.example" : "SLOW.example"));
        var other = _desk.Offer(Post("other", "quick.example"))!.Value;
        var taken = _desk.Take("e", 64, 64);
        Assert.Equal((WebhookDesk.PerHost + 1, other), (taken.Length, taken[^1].Number));
    }

    [Fact]
    public void Take_SlowOnes_HaveHalfOfAnEgress()
    {
        for (var i = 0; i < 100; i++) _desk.Offer(Post($"t{i}", $"h{i}", isSlow: true));
        Assert.Equal(4, _desk.Take("e", 8, 8).Length);
        Assert.Empty(_desk.Take("e", 4, 8));
        for (var i = 0; i < 10; i++) _desk.Offer(Post($"q{i}", $"q{i}"));
        Assert.Equal(4, _desk.Take("e", 4, 8).Length);
        Assert.Equal(4, _desk.Take("f", 8, 8).Count(o => o.Post.IsSlow));
    }

    /// <summary>A tenant's dead webhooks are not in the way of its own good one.</summary>
    [Fact]
    public void Take_SlowOnesOfATenant_LeaveRoomToItsOthers()
    {
        for (var i = 0; i < 9; i++) _desk.Offer(Post("t", $"dead{i}", isSlow: true));
        var good = _desk.Offer(Post("t", "good"))!.Value;
        var taken = _desk.Take("e", 64, 64);
        Assert.Equal((WebhookDesk.SlowPerTenant + 1, good), (taken.Length, taken[^1].Number));
        Assert.True(_desk.End(taken[0].Number));
        Assert.Single(_desk.Take("e", 64, 64));
        for (var i = 0; i < 9; i++) _desk.Offer(Post($"x{i}", "dead", isSlow: true));
        Assert.Equal(WebhookDesk.SlowPerHost, _desk.Take("e", 64, 64).Length);
    }

    [Fact]
    public void Offer_BeyondTheBound_IsRefused_UntilSomethingHasGone()
    {
        var first = _desk.Offer(Post("t0", "h0"))!.Value;
        for (var i = 1; i < WebhookDesk.MaxWaiting; i++) Assert.NotNull(_desk.Offer(Post($"t{i}", $"h{i}")));
        Assert.Null(_desk.Offer(Post("t", "h")));
        Assert.False(_desk.End(first));
        Assert.NotNull(_desk.Offer(Post("t", "h")));
        Assert.Equal(WebhookDesk.MaxWaiting, _desk.InWaiting);
    }

    [Fact]
    public void Take_AndEndOfEverything_LeavesNothingCounted()
    {
        for (var round = 0; round < 100; round++)
        {
            for (var i = 0; i < 6; i++) Assert.NotNull(_desk.Offer(Post("t", "h", isSlow: i % 2 == 0)));
            while (_desk.Take("e", 64, 64) is { Length: > 0 } taken)
                foreach (var one in taken) Assert.True(_desk.End(one.Number));
            Assert.Equal(0, _desk.InWaiting);
        }
    }
}
