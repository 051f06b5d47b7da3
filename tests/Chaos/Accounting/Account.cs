namespace Angarium.Chaos.Accounting;

/// <summary>A recipient that arrived twice: its two copies, what excuses the second, and what speaks against it (null = nothing). Immutable.</summary>
internal sealed record Doubled(Arrival First, Arrival Second, string Excuse, string? Fault);

/// <summary>
/// The account of a run: what clients noted against what the sink wrote. Pure; the relay's own records are asked for one thing only, whether a second copy was sent after
/// the first was on record. A recipient is <em>lost</em> when its message was acknowledged and it was neither taken by the sink nor named by a notice.
/// </summary>
internal sealed class Account
{
    /// <summary>After a fault's end, how long what it held up may take to be recorded: a lease (20 s) and the repeats of a report.</summary>
    public static readonly TimeSpan Aftermath = TimeSpan.FromSeconds(20);

    /// <summary>Longest time from a reply to the durable record of it when nothing is wrong: a later fault is no excuse.</summary>
    public static readonly TimeSpan Recording = TimeSpan.FromSeconds(5);

    /// <summary>Longest time without any arrival when all faults are over and something is due: the sweep's least age (60 s), a pass of it, and no more.</summary>
    public static readonly TimeSpan Recovery = TimeSpan.FromSeconds(75);

    /// <summary>How far the clocks of sink and ledger, one machine's, may seem apart.</summary>
    public static readonly TimeSpan Tolerance = TimeSpan.FromMilliseconds(200);

    private Account()
    {
    }

    public required int Sent { get; init; }

    /// <summary>Recipients of messages that were answered 250.</summary>
    public required int Acknowledged { get; init; }

    public required int Refused { get; init; }

    public required IReadOnlyList<Send> Refusals { get; init; }

    public required int Unknown { get; init; }

    /// <summary>Acknowledged recipients that the sink took.</summary>
    public required int Delivered { get; init; }

    /// <summary>Acknowledged recipients named by a notice that came back.</summary>
    public required int Bounced { get; init; }

    public required IReadOnlyList<(Send Send, string Recipient)> Lost { get; init; }

    public required IReadOnlyList<Doubled> Doubled { get; init; }

    /// <summary>Taken by the sink and yet bounced: the sender was told an untruth.</summary>
    public required IReadOnlyList<string> Contradicted { get; init; }

    /// <summary>Arrivals whose content is not what was sent.</summary>
    public required IReadOnlyList<Arrival> Damaged { get; init; }

    /// <summary>Recipients named by more than one notice.</summary>
    public required int BouncedTwice { get; init; }

    /// <summary>Longest time between two arrivals while the first of what was still due had been acknowledged.</summary>
    public required TimeSpan LongestWithoutArrival { get; init; }

    /// <summary>From the end of the last fault, or from one arrival, to the next: what was still due then lay where nothing was wrong any more.</summary>
    public required TimeSpan LongestAfterFaults { get; init; }

    public required TimeSpan LongestWithoutAcknowledgement { get; init; }

    public bool IsClean => Lost.Count == 0 && Contradicted.Count == 0 && Damaged.Count == 0 && Doubled.All(d => d.Fault is null);

    /// <param name="sends">What clients noted.</param>
    /// <param name="arrivals">What the sink took.</param>
    /// <param name="bounces">What came back.</param>
    /// <param name="strikes">Which faults struck.</param>
    /// <param name="delivered">Times of each doubled recipient's delivered records in the ledger.</param>
    /// <param name="waited">How long its worker had a copy before it began: an attempt begins with its lease.</param>
    public static Account Of(IReadOnlyList<Send> sends, IReadOnlyList<Arrival> arrivals, IReadOnlyList<Bounce> bounces, IReadOnlyList<Strike> strikes,
        ILookup<string, DateTimeOffset> delivered, Func<Arrival, TimeSpan> waited)
    {
        var taken = arrivals.Select(a => a.Recipient).ToHashSet(StringComparer.Ordinal);
        var bounced = bounces.Select(b => b.Recipient).ToHashSet(StringComparer.Ordinal);
        var due = sends.Where(s => s.Outcome == SendOutcome.Acknowledged).SelectMany(s => s.Recipients.Select(r => (Send: s, Recipient: r))).ToList();
        return new Account
        {
            Sent = sends.Sum(s => s.Recipients.Count),
            Acknowledged = due.Count,
            Refused = sends.Where(s => s.Outcome == SendOutcome.Refused).Sum(s => s.Recipients.Count),
            Refusals = sends.Where(s => s.Outcome == SendOutcome.Refused).ToList(),
            Unknown = sends.Where(s => s.Outcome == SendOutcome.Unknown).Sum(s => s.Recipients.Count),
            Delivered = due.Count(d => taken.Contains(d.Recipient)),
            Bounced = due.Count(d => bounced.Contains(d.Recipient)),
            Lost = due.Where(d => !taken.Contains(d.Recipient) && !bounced.Contains(d.Recipient)).ToList(),
            Doubled = Copies(arrivals).Select(c => Judge(c.First, c.Second, strikes, delivered, waited)).ToList(),
            Contradicted = bounced.Where(taken.Contains).ToList(),
            Damaged = arrivals.Where(a => !a.IsIntact).ToList(),
            BouncedTwice = bounces.Count - bounced.Count,
            LongestWithoutArrival = Longest(arrivals.Select(a => a.Dot)),
            LongestAfterFaults = LongestAfter(strikes.Select(s => s.End).DefaultIfEmpty().Max(), [.. arrivals.Select(a => a.Dot), .. bounces.Select(b => b.At)]),
            LongestWithoutAcknowledgement = Longest(sends.Where(s => s.Outcome == SendOutcome.Acknowledged).Select(s => s.Ended)),
        };
    }

    /// <summary>Each copy beside the one before it. A notice's number is 0: several may go to one address.</summary>
    public static IEnumerable<(Arrival First, Arrival Second)> Copies(IReadOnlyList<Arrival> arrivals) =>
        arrivals.Where(a => a.Number > 0).GroupBy(a => a.Recipient, StringComparer.Ordinal).Where(g => g.Count() > 1).SelectMany(g =>
        {
            var copies = g.OrderBy(a => a.Dot).ThenBy(a => a.Sequence).ToList();
            return copies.Zip(copies.Skip(1));
        });

    private static Doubled Judge(Arrival first, Arrival second, IReadOnlyList<Strike> strikes, ILookup<string, DateTimeOffset> delivered, Func<Arrival, TimeSpan> waited)
    {
        var recorded = (first.Answered ?? first.Dot) + Recording;
        var until = recorded < second.Began ? recorded : second.Began;
        var excuse = first.Answered is null ? "its reply was lost" : string.Join(", ",
            strikes.Where(s => (s with { End = s.End + Aftermath }).Excuses(first.Peer, first.Dot - Tolerance, until)).Select(s => $"{s.Kind} {s.Victim}").Distinct());
        var leased = second.Began - waited(second);
        var record = delivered[second.Recipient].Where(t => t < leased - Tolerance).Order().FirstOrDefault();
        var fault = record != default ? $"asked for at {leased:HH:mm:ss.fff} although recorded at {record:HH:mm:ss.fff}" : excuse.Length == 0 ? "no fault followed its first dot" : null;
        return new Doubled(first, second, excuse, fault);
    }

    /// <summary>Without a fault at all there is nothing to recover from.</summary>
    private static TimeSpan LongestAfter(DateTimeOffset end, IReadOnlyList<DateTimeOffset> times) => end == default ? TimeSpan.Zero : Longest([end, .. times.Where(t => t > end)]);

    private static TimeSpan Longest(IEnumerable<DateTimeOffset> times)
    {
        var ordered = times.Order().ToList();
        return ordered.Zip(ordered.Skip(1), (a, b) => b - a).DefaultIfEmpty().Max();
    }
}
