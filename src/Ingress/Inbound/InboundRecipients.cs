using System.Collections.Concurrent;
using Angarium.Contracts.Inbound;
using Microsoft.Extensions.Logging;

namespace Angarium.Ingress.Inbound;

/// <summary>
/// Asks the silos, and remembers their answers for ten seconds: so long a domain that was added or removed may go unheard. Strangers choose what is asked: what is remembered and what is asked at a
/// time have bounds. Any thread; gone with the process.
/// </summary>
/// <param name="ask">How the mailbox of a domain stands.</param>
/// <param name="time">For how long answers are remembered.</param>
/// <param name="log">Where to say that nothing can be told.</param>
internal sealed partial class InboundRecipients(Func<string, string, Task<InboundAnswer>> ask, TimeProvider time, ILogger<InboundRecipients> log) : IInboundRecipients
{
    /// <summary>Answers that are remembered; beyond it all are forgotten and asked for again.</summary>
    private const int Most = 100_000;

    /// <summary>Questions on their way; beyond it nothing can be told now.</summary>
    private const int MostAtOnce = 256;

    /// <summary>What the answer that concerns all domains is remembered under: no domain and no recipient is empty.</summary>
    private const string All = "";

    private static readonly TimeSpan s_lasts = TimeSpan.FromSeconds(10), s_patience = TimeSpan.FromSeconds(10), s_tellEvery = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, Known> _known = new(StringComparer.Ordinal);
    private int _asking;
    private long _toldAt;

    public ValueTask<InboundVerdict> JudgeAsync(string domain, string mailbox)
    {
        // A domain stands under its own name when it is nobody's, whatever the recipient; else each recipient does. No domain contains `@`.
        var recipient = mailbox.ToLowerInvariant() + "@" + domain;
        return (Recall(All) ?? Recall(domain) ?? Recall(recipient)) is { } known ? new(new InboundVerdict(known, false)) : new(AskAsync(domain, mailbox, recipient));
    }

    private InboundAnswer? Recall(string name) => _known.TryGetValue(name, out var known) && time.GetElapsedTime(known.At) < s_lasts ? known.Answer : null;

    private async Task<InboundVerdict> AskAsync(string domain, string mailbox, string recipient)
    {
        if (Interlocked.Increment(ref _asking) > MostAtOnce)
        {
            Interlocked.Decrement(ref _asking);
            return new InboundVerdict(InboundAnswer.Nobodys, IsUnreachable: true);
        }

        try
        {
            var answer = await ask(domain, mailbox).WaitAsync(s_patience, time);
            if (_known.Count >= Most) _known.Clear();
            // A local part that asks to be relayed elsewhere says nothing about its domain.
            var isOfDomain = answer.Standing == InboundStanding.Nobodys && mailbox.AsSpan().IndexOfAny('@', '%', '!') < 0;
            _known[answer.Standing == InboundStanding.NoDomains ? All : isOfDomain ? domain : recipient] = new Known(answer, time.GetTimestamp());
            return new InboundVerdict(answer, false);
        }
        catch (Exception e)
        {
            Tell(e.Message);
            return new InboundVerdict(InboundAnswer.Nobodys, IsUnreachable: true);
        }
        finally
        {
            Interlocked.Decrement(ref _asking);
        }
    }

    // Strangers decide how often it happens.
    private void Tell(string reason)
    {
        var (told, now) = (Interlocked.Read(ref _toldAt), time.GetTimestamp());
        if ((told == 0 || time.GetElapsedTime(told, now) >= s_tellEvery) && Interlocked.CompareExchange(ref _toldAt, now, told) == told) CannotAsk(reason);
    }

    private readonly record struct Known(InboundAnswer Answer, long At);

    [LoggerMessage(3062, LogLevel.Warning, "Recipients of inbound domains cannot be checked and are answered 451: {Reason}")]
    private partial void CannotAsk(string reason);
}
