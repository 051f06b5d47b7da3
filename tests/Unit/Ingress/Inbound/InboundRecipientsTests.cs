using Angarium.Contracts.Inbound;
using Angarium.Ingress.Inbound;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Ingress.Inbound;

/// <summary>What an ingress process remembers of the silos' answers, and how much strangers can make it ask.</summary>
public sealed class InboundRecipientsTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly List<string> _asked = [];
    private readonly InboundRecipients _recipients;
    private Func<string, string, Task<InboundAnswer>> _answer = (domain, mailbox) => Task.FromResult(domain != "inbound.test" || mailbox.Contains('%', StringComparison.Ordinal) ? InboundAnswer.Nobodys
        : new InboundAnswer(mailbox is "anna" or "Anna" ? InboundStanding.Accepted : InboundStanding.Unknown, "t"));

    public InboundRecipientsTests() => _recipients = new InboundRecipients((domain, mailbox) =>
    {
        lock (_asked) _asked.Add($"{mailbox}@{domain}");
        return _answer(domain, mailbox);
    }, _time, NullLogger<InboundRecipients>.Instance);

    [Fact]
    public async Task Judge_AskedAgain_IsRememberedForTenSeconds()
    {
        Assert.Equal(InboundStanding.Accepted, await JudgeAsync("inbound.test", "anna"));
        Assert.Equal(InboundStanding.Accepted, await JudgeAsync("inbound.test", "ANNA"));
        Assert.Equal(InboundStanding.Unknown, await JudgeAsync("inbound.test", "bob"));
        Assert.Equal(InboundStanding.Unknown, await JudgeAsync("inbound.test", "bob"));
        Assert.Equal(["anna@inbound.test", "bob@inbound.test"], _asked);
        _time.Advance(TimeSpan.FromSeconds(10));
        _answer = (_, _) => Task.FromResult(InboundAnswer.Nobodys);
        Assert.Equal(InboundStanding.Nobodys, await JudgeAsync("inbound.test", "anna"));
    }

    [Fact]
    public async Task Judge_ADomainThatIsNobodys_IsAskedOnceWhateverTheRecipient()
    {
        for (var i = 0; i < 100; i++) Assert.Equal(InboundStanding.Nobodys, await JudgeAsync("elsewhere.test", $"user{i}"));
        Assert.Single(_asked);
        // What asks to be relayed elsewhere says nothing of its domain.
        Assert.Equal(InboundStanding.Nobodys, await JudgeAsync("inbound.test", "x%elsewhere.test"));
        Assert.Equal(InboundStanding.Accepted, await JudgeAsync("inbound.test", "anna"));
    }

    [Fact]
    public async Task Judge_WhereNoTenantTakesMail_NobodyIsAsked()
    {
        _answer = (_, _) => Task.FromResult(InboundAnswer.NoDomains);
        for (var i = 0; i < 100; i++) Assert.Equal(InboundStanding.NoDomains, await JudgeAsync($"d{i}.test", "x"));
        Assert.Single(_asked);
        _time.Advance(TimeSpan.FromSeconds(10));
        await JudgeAsync("d.test", "x");
        Assert.Equal(2, _asked.Count);
    }

    [Fact]
    public async Task Judge_TheSilosDoNotAnswer_IsNotKnownAndNotRemembered()
    {
        var never = new TaskCompletionSource<InboundAnswer>();
        _answer = (_, _) => never.Task;
        var waiting = _recipients.JudgeAsync("inbound.test", "anna").AsTask();
        Assert.False(waiting.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.True((await waiting).IsUnreachable);
        _answer = (_, _) => Task.FromException<InboundAnswer>(new IOException("away"));
        Assert.True((await _recipients.JudgeAsync("inbound.test", "anna")).IsUnreachable);
        _answer = (_, _) => Task.FromResult(new InboundAnswer(InboundStanding.Accepted, "t"));
        Assert.Equal(InboundStanding.Accepted, await JudgeAsync("inbound.test", "anna"));
    }

    [Fact]
    public async Task Judge_TooManyAtOnce_AreNotAsked()
    {
        var gate = new TaskCompletionSource<InboundAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
        _answer = (_, _) => gate.Task;
        var waiting = Enumerable.Range(0, 300).Select(i => _recipients.JudgeAsync($"d{i}.test", "x").AsTask()).ToArray();
        Assert.Equal(256, _asked.Count);
        var refused = waiting.Where(w => w.IsCompleted).ToArray();
        Assert.Equal(44, refused.Length);
        Assert.All(await Task.WhenAll(refused), verdict => Assert.True(verdict.IsUnreachable));
        gate.SetResult(InboundAnswer.Nobodys);
        await Task.WhenAll(waiting);
        _answer = (_, _) => Task.FromResult(InboundAnswer.Nobodys);
        Assert.Equal(InboundStanding.Nobodys, await JudgeAsync("e.test", "x"));
    }

    [Fact]
    public async Task Judge_MoreThanAreRemembered_ForgetsAndAsksAgain()
    {
        for (var i = 0; i < 100_000; i++) await JudgeAsync($"d{i}.test", "x");
        await JudgeAsync("d0.test", "x");
        Assert.Equal(100_000, _asked.Count);
        await JudgeAsync("one-more.test", "x");
        await JudgeAsync("d0.test", "x");
        Assert.Equal(100_002, _asked.Count);
    }

    private async Task<InboundStanding> JudgeAsync(string domain, string mailbox)
    {
        var verdict = await _recipients.JudgeAsync(domain, mailbox);
        Assert.False(verdict.IsUnreachable);
        return verdict.Answer.Standing;
    }
}
