using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Threading.Channels;
using Angarium.Contracts.Configuration;
using Angarium.Contracts.Webhooks;
using Angarium.Egress.Worker;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Angarium.Egress.Webhooks;

/// <summary>
/// Long-polls the silos for posts to webhooks, runs each as a task of its own, and reports how it ended. Beside the worker that sends mail, and with bounds of its own: neither waits for the other. One
/// loop; nothing survives it: what was not reported is posted again.
/// </summary>
internal sealed partial class WebhookPoster(IGrainFactory grains, ClusterLink link, WebhookClient client, ISettings<WebhookEgressOptions> settings, TimeProvider time, ILogger<WebhookPoster> logger) : BackgroundService
{
    private const int ReportTries = 3;

    // The broker holds a poll for 5 s; one that is sent while no gateway is connected may get lost.
    private static readonly TimeSpan LongestPoll = TimeSpan.FromSeconds(12), LongestHail = TimeSpan.FromSeconds(1), LongestCall = TimeSpan.FromSeconds(5), Pause = TimeSpan.FromSeconds(1), Breath = TimeSpan.FromMilliseconds(50);

    /// <summary>On shutdown: longest wait for posts under way. One that is cut is posted again.</summary>
    private static readonly TimeSpan Drain = TimeSpan.FromSeconds(2);

    private readonly string name = RandomNumberGenerator.GetHexString(16, lowercase: true);
    private readonly ConcurrentDictionary<long, Task> running = new();
    private readonly Channel<byte> ended = Channel.CreateBounded<byte>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private bool isHeard = true;

    private IWebhookWork Broker => grains.GetGrain<IWebhookWork>(0);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var cut = new CancellationTokenSource();
        var most = settings.Current.Posts;
        try
        {
            while (true)
            {
                var free = most - running.Count;
                if (free <= 0)
                {
                    await ended.Reader.ReadAsync(stoppingToken);
                    continue;
                }

                foreach (var order in await TakeAsync(free, most, stoppingToken)) Begin(order, cut.Token);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // What is under way has a moment.
        }

        await Task.WhenAll(running.Values).WaitAsync(Drain, time, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await cut.CancelAsync();
        await Task.WhenAll(running.Values).WaitAsync(Drain, time, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task<WebhookOrder[]> TakeAsync(int free, int most, CancellationToken stoppingToken)
    {
        var began = time.GetTimestamp();
        var poll = CallAsync(new WebhookTake { Worker = name, Free = free, Most = most });
        try
        {
            var orders = (await poll.WaitAsync(stoppingToken)).Orders;
            if (!isHeard) Heard(logger);
            isHeard = true;
            // A broker that neither has something nor holds the poll must not make a tight loop.
            if (orders.Length == 0 && time.GetElapsedTime(began) < Breath) await Task.Delay(Breath, time, stoppingToken);
            return orders;
        }
        catch (Exception e) when (!stoppingToken.IsCancellationRequested)
        {
            if (isHeard) NotHeard(logger, e.Message);
            isHeard = false;
            await Task.Delay(Pause, time, stoppingToken);
            return [];
        }
        catch (OperationCanceledException)
        {
            await LeaveAsync(poll);
            throw;
        }
    }

    /// <summary>Has the broker end the poll that it holds; what it gave with it goes back.</summary>
    private async Task LeaveAsync(Task<WebhookOrders> poll)
    {
        try
        {
            await Broker.Take(new WebhookTake { Worker = name }).WaitAsync(Pause, time);
            var orders = (await poll.WaitAsync(Pause, time)).Orders;
            if (orders.Length > 0) await ReportAsync([.. orders.Select(o => new WebhookReport { Number = o.Number, Outcome = new WebhookOutcome { End = WebhookEnd.NotPosted, Detail = "the egress was stopped" } })], CancellationToken.None);
        }
        catch (Exception e)
        {
            // The broker waits for its time, and has them posted again.
            NotHeard(logger, e.Message);
        }
    }

    private Task<WebhookOrders> CallAsync(WebhookTake take)
    {
        var (longest, broken) = (link.IsCut ? LongestHail : LongestPoll, link.Broken);
        return Broker.Take(take).WaitAsync(longest, time, broken);
    }

    private void Begin(WebhookOrder order, CancellationToken cut)
    {
        var start = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        // In the table before it can leave it.
        running[order.Number] = PostAsync(order, start.Task, cut);
        WebhookPostInstruments.UnderWay.Set(running.Count);
        start.SetResult();
    }

    private async Task PostAsync(WebhookOrder order, Task start, CancellationToken cut)
    {
        await start;
        try
        {
            var outcome = await client.PostAsync(order.Post, cut);
            await ReportAsync([new WebhookReport { Number = order.Number, Outcome = outcome }], cut);
        }
        catch (Exception e)
        {
            NotReported(logger, e.Message);
        }
        finally
        {
            running.TryRemove(order.Number, out _);
            WebhookPostInstruments.UnderWay.Set(running.Count);
            ended.Writer.TryWrite(0);
        }
    }

    private async Task ReportAsync(WebhookReport[] reports, CancellationToken cut)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await Broker.Report(reports).WaitAsync(LongestCall, time, CancellationToken.None);
                return;
            }
            catch (Exception) when (attempt < ReportTries && !cut.IsCancellationRequested)
            {
                await Task.Delay(Pause, time, CancellationToken.None);
            }
        }
    }

    [LoggerMessage(4860, LogLevel.Warning, "No silo can be asked for posts to webhooks; it is asked again every second: {Error}")]
    private static partial void NotHeard(ILogger logger, string error);

    [LoggerMessage(4861, LogLevel.Information, "Silos can be asked for posts to webhooks again")]
    private static partial void Heard(ILogger logger);

    [LoggerMessage(4862, LogLevel.Warning, "How a post to a webhook ended could not be reported, and it will be posted again: {Error}")]
    private static partial void NotReported(ILogger logger, string error);
}
