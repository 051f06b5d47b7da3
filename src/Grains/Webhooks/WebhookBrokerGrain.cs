using Angarium.Contracts.Webhooks;
using Orleans.Concurrency;
using Orleans.Placement;

namespace Angarium.Grains.Webhooks;

/// <summary>
/// Shell of <see cref="WebhookDesk"/>: holds the calls of silos until what they signed was posted, and the polls of egress until there is something. Turns interleave; each wait ends by itself. Nothing
/// survives: a silo whose call fails makes it again, and what was posted meanwhile comes twice, under the same ids.
/// </summary>
[GrainType("webhook-broker"), Reentrant, RandomPlacement]
internal sealed class WebhookBrokerGrain(TimeProvider time) : Grain, IWebhookBroker, IWebhookWork
{
    /// <summary>A post that nobody took for so long is not waited for.</summary>
    private static readonly TimeSpan s_longestWait = TimeSpan.FromSeconds(20), s_longPoll = TimeSpan.FromSeconds(5);

    /// <summary>Most that is believed of one egress.</summary>
    private const int MaxFree = 1_000;

    private readonly WebhookDesk _desk = new();
    private readonly Dictionary<long, TaskCompletionSource<WebhookOutcome>> _answers = [];

    /// <summary>Of each egress the poll that counts: a later one ends it.</summary>
    private readonly Dictionary<string, object> _polls = new(StringComparer.Ordinal);
    private TaskCompletionSource _news = NewNews();
    private bool _isGone;

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        _isGone = true;
        foreach (var answer in _answers.Values) answer.TrySetResult(Unposted("the broker went to another silo"));
        TellAll();
        return Task.CompletedTask;
    }

    public async Task<WebhookOutcome> Post(WebhookPost post)
    {
        if (_desk.Offer(post) is not { } number) return Unposted("too many posts wait");
        var answer = _answers[number] = new TaskCompletionSource<WebhookOutcome>(TaskCreationOptions.RunContinuationsAsynchronously);
        TellAll();
        try
        {
            return await answer.Task.WaitAsync(s_longestWait + post.Timeout, time);
        }
        catch (TimeoutException)
        {
            return Unposted(End(number) ? "no egress said what became of it" : "no egress took it");
        }
        finally
        {
            End(number);
        }
    }

    public async Task<WebhookOrders> Take(WebhookTake take)
    {
        var (began, free, mine) = (time.GetTimestamp(), Math.Clamp(take.Free, 0, MaxFree), new object());
        if (_polls.ContainsKey(take.Worker)) TellAll();
        _polls[take.Worker] = mine;
        try
        {
            while (free > 0 && _polls.GetValueOrDefault(take.Worker) == mine)
            {
                var news = _news.Task;
                var orders = _desk.Take(take.Worker, free, Math.Clamp(take.Most, 1, MaxFree));
                var left = s_longPoll - time.GetElapsedTime(began);
                if (orders.Length > 0 || left <= TimeSpan.Zero || _isGone) return new WebhookOrders { Orders = orders };
                await news.WaitAsync(left, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            }

            return new WebhookOrders();
        }
        finally
        {
            if (_polls.GetValueOrDefault(take.Worker) == mine) _polls.Remove(take.Worker);
        }
    }

    public Task Report(WebhookReport[] reports)
    {
        foreach (var report in reports)
            if (_answers.TryGetValue(report.Number, out var answer)) answer.TrySetResult(report.Outcome);
        return Task.CompletedTask;
    }

    private bool End(long number)
    {
        _answers.Remove(number);
        var isTaken = _desk.End(number);
        // Others may go now.
        if (isTaken) TellAll();
        return isTaken;
    }

    private void TellAll()
    {
        var news = _news;
        _news = NewNews();
        news.SetResult();
    }

    private static TaskCompletionSource NewNews() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static WebhookOutcome Unposted(string why) => new() { End = WebhookEnd.NotPosted, Detail = why };
}
