using Angarium.Contracts.DomainQueues;
using Angarium.Egress.Sessions;
using Angarium.Egress.Worker;
using Angarium.Mail;

namespace Angarium.Unit.Egress;

/// <summary>A session's dealings with a queue beyond the session's end.</summary>
public sealed class DomainFeedTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    /// <summary>A lease that nobody carries and nobody returns would be renewed for as long as the process lives.</summary>
    [Fact]
    public async Task Stop_GrantsComeAfterIt_AreReturnedBeforeItIsSettled()
    {
        await using var world = new WorkerUnderTest();
        world.Mail("a@example.net");
        world.Mail("b@example.net");
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var isStopped = false;
        world.OnAnswer = request =>
        {
            if (request.Number != 1 || Volatile.Read(ref isStopped)) return;
            asked.TrySetResult();
            throw new IOException("lost");
        };
        var feed = new DomainFeed(world.Context, "example.net", "site", 0);
        feed.Look();
        await asked.Task.WaitAsync(Limit);
        var settled = feed.EndAsync();
        Volatile.Write(ref isStopped, true);
        await settled.WaitAsync(Limit);
        Assert.Equal(0, world.Context.Leases.Count);
        for (var i = 0; i < 2; i++) Assert.Equal(OutcomeKind.Returned, (await world.OutcomeAsync()).Kind);
    }

    /// <summary>Given back it would be tried again only as what an activation reads back is: in a cluster half a minute later.</summary>
    [Fact]
    public async Task Finish_WhatWasAskedForBefore_IsCarried_AndNoMoreIsAskedFor()
    {
        await using var world = new WorkerUnderTest();
        foreach (var name in (string[])["a", "b", "c"]) world.Mail($"{name}@example.net");
        using var gate = new ManualResetEventSlim();
        world.OnExchange = _ => gate.Wait(Limit);
        var feed = new DomainFeed(world.Context, "example.net", "site", 0);
        var next = feed.NextAsync();
        feed.Finish();
        gate.Set();
        for (var i = 0; i < 2; i++)
        {
            var transaction = await next.WaitAsync(Limit);
            transaction!.Started = world.Context.Time.GetTimestamp();
            feed.Report(transaction, transaction.Recipients, new DeliveryVerdict(OutcomeKind.Delivered, VerdictScope.Message, new Reply(250, new(2, 0, 0), "ok"), Own: false));
            transaction.Dispose();
            next = feed.NextAsync();
        }

        Assert.Null(await next.WaitAsync(Limit));
        await feed.EndAsync().WaitAsync(Limit);
        for (var i = 0; i < 2; i++) Assert.Equal(OutcomeKind.Delivered, (await world.OutcomeAsync()).Kind);
        Assert.False(world.HasOutcome);
    }
}
