using Angarium.Contracts.Webhooks;
using Angarium.Grains.Webhooks;

namespace Angarium.Unit.Grains.Webhooks;

/// <summary>When a webhook is tried again, and when no more.</summary>
public sealed class WebhookStandingTests
{
    private static readonly WebhooksOptions s_options = new();
    private static readonly DateTimeOffset s_start = new(2026, 11, 28, 0, 0, 0, TimeSpan.Zero);

    private static WebhookOutcome Answer(int status) => new() { End = WebhookEnd.Answered, Status = status };

    [Fact]
    public void Judge_FailureAfterFailure_WaitsLongerAndGivesUpAfterFiveDays()
    {
        var (standing, now, waits) = (new WebhookStanding { Renewed = s_start }, s_start, new List<TimeSpan>());
        while (true)
        {
            (standing, var verdict) = standing.Judge(Answer(500), now, s_options, 0.5);
            if (verdict == WebhookVerdict.GiveUp) break;
            Assert.Equal(WebhookVerdict.Again, verdict);
            waits.Add(standing.NextTry!.Value - now);
            now = standing.NextTry.Value;
        }

        Assert.Equal(["00:01:00", "00:05:00", "00:15:00", "01:00:00", "03:00:00", "06:00:00", "12:00:00", "1.00:00:00", "1.00:00:00", "1.00:00:00", "1.00:00:00", "1.00:00:00"], waits.Select(w => w.ToString()));
        Assert.InRange(now - s_start, TimeSpan.FromDays(5), TimeSpan.FromDays(6));
        Assert.Equal((s_start, s_start, 13), (standing.FailingSince!.Value, standing.Renewed, standing.Tries));
        Assert.Equal("status 500", standing.Last);
    }

    [Theory]
    [InlineData(0, 54)]
    [InlineData(1, 66)]
    public void Judge_AWait_IsDrawnWithinATenth(double drawn, int seconds) =>
        Assert.Equal(s_start.AddSeconds(seconds), new WebhookStanding().Judge(Answer(503), s_start, s_options, drawn).After.NextTry);

    [Fact]
    public void Judge_OneSuccess_ForgetsAllFailures()
    {
        var failed = new WebhookStanding { Renewed = s_start }.Judge(Answer(500), s_start, s_options, 0).After;
        var (standing, verdict) = failed.Judge(Answer(204), s_start.AddMinutes(1), s_options, 0);
        Assert.Equal(WebhookVerdict.Taken, verdict);
        Assert.Equal(new WebhookStanding { Renewed = s_start, Taken = s_start.AddMinutes(1), Last = "status 204" }, standing);
    }

    [Theory]
    [InlineData(200, true)]
    [InlineData(299, true)]
    [InlineData(199, false)]
    [InlineData(301, false)]
    [InlineData(308, false)]
    [InlineData(401, false)]
    [InlineData(429, false)]
    public void Judge_AnyStatusButTwoHundreds_IsAFailure(int status, bool isTaken) =>
        Assert.Equal(isTaken ? WebhookVerdict.Taken : WebhookVerdict.Again, new WebhookStanding().Judge(Answer(status), s_start, s_options, 0).Verdict);

    [Fact]
    public void Judge_Gone_GivesUpAtOnce() => Assert.Equal(WebhookVerdict.GiveUp, new WebhookStanding().Judge(Answer(410), s_start, s_options, 0).Verdict);

    /// <summary>An outage of ours must not disable everybody's webhooks.</summary>
    [Fact]
    public void Judge_WhatNobodyPosted_IsNoFailureOfTheWebhook()
    {
        var (standing, now) = (new WebhookStanding(), s_start);
        for (var i = 0; i < 100_000; i++)
        {
            (standing, var verdict) = standing.Judge(new WebhookOutcome { End = WebhookEnd.NotPosted, Detail = "no egress took it" }, now, s_options, 0.5);
            Assert.Equal(WebhookVerdict.Again, verdict);
            Assert.Equal(now.AddSeconds(10), standing.NextTry);
            now = standing.NextTry!.Value;
        }

        Assert.Null(standing.FailingSince);
        Assert.Equal(0, standing.Tries);
    }
}
