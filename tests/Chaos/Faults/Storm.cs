using Angarium.Chaos.Accounting;

namespace Angarium.Chaos.Faults;

/// <summary>
/// The faults of a run: which kinds strike follows from the seed alone, as cards dealt from shuffled decks of all kinds, each run going on where the seed before it left off;
/// when they strike and whom, from the seed and the moment. One task a fault, all ended by <see cref="RunAsync"/>.
/// </summary>
internal sealed class Storm(IReadOnlyList<Fault> kinds, int seed, double every, Books books, Action<string> say)
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, int> counts = [];
    private readonly List<string> failures = [];

    /// <summary>How often each kind that was dealt struck, 0 included.</summary>
    public IReadOnlyDictionary<string, int> Counts
    {
        get { lock (gate) return new Dictionary<string, int>(counts); }
    }

    /// <summary>What did not come back.</summary>
    public IReadOnlyList<string> Failures
    {
        get { lock (gate) return failures.ToArray(); }
    }

    /// <summary>How many cards a run is dealt.</summary>
    public static int Cards(TimeSpan length, double every) => Math.Max(1, (int)(length.TotalSeconds / every));

    /// <summary>The cards of a run.</summary>
    public static IEnumerable<T> Deal<T>(IReadOnlyList<T> kinds, int seed, int count)
    {
        for (var i = 0; i < count && kinds.Count > 0; i++)
        {
            var (deck, card) = Math.DivRem(((long)seed * count) + i, kinds.Count);
            var shuffled = kinds.ToArray();
            new Random((int)deck).Shuffle(shuffled);
            yield return shuffled[card];
        }
    }

    public async Task RunAsync(Arena arena, TimeSpan length)
    {
        var random = new Random(seed);
        var running = new List<Task>();
        foreach (var kind in Deal(kinds, seed, Cards(length, every)))
        {
            lock (gate) counts.TryAdd(kind.Name, 0);
            await arena.HoldAsync(random, 0, every * 1.8);
            running.Add(StrikeAsync(kind, arena, new Random(random.Next())));
        }

        await Task.WhenAll(running);
    }

    private async Task StrikeAsync(Fault kind, Arena arena, Random random)
    {
        Struck? struck = null;
        var start = DateTimeOffset.UtcNow;
        try
        {
            while (!await kind.StrikeAsync(arena, random, s => { struck = s; start = Began(kind, s); }))
            {
                // Another fault has every possible victim: its turn comes when that ends.
                if (arena.LoadEnds.IsCancellationRequested) return;
                await arena.HoldAsync(random, 1, 2);
            }
        }
        catch (Exception e)
        {
            say($"{kind.Name}: {e.Message}");
            lock (gate) failures.Add($"{kind.Name} {struck?.Victim}: {e.Message}");
        }

        if (struck is null) return;
        var strike = new Strike(kind.Name, struck.Victim, struck.Doubles, start, DateTimeOffset.UtcNow);
        books.Note(strike);
        say($"{kind.Name} {struck.Victim}: over after {(strike.End - strike.Start).TotalSeconds:f1} s");
    }

    private DateTimeOffset Began(Fault kind, Struck struck)
    {
        lock (gate) counts[kind.Name] = counts.GetValueOrDefault(kind.Name) + 1;
        say($"{kind.Name} {struck.Victim}");
        // It took a moment before it was seen to hold.
        return DateTimeOffset.UtcNow.AddSeconds(-1);
    }
}
