namespace Angarium.Chaos.Processes;

/// <summary>What the processes of one role have beyond the others: settings, environment, a program that starts them. Immutable.</summary>
internal sealed record Tuning
{
    private static readonly IReadOnlyDictionary<string, string> nothing = new Dictionary<string, string>();

    public Func<string, IReadOnlyDictionary<string, string>> Settings { get; init; } = _ => nothing;

    public Func<string, IReadOnlyDictionary<string, string>> Environment { get; init; } = _ => nothing;

    /// <summary>Put before the command.</summary>
    public Func<string, IReadOnlyList<string>> Wrapper { get; init; } = _ => [];

    /// <summary>The emulator of blob storage writes a line for each request.</summary>
    public bool LogsStorage { get; init; }

    /// <summary>How often the emulator writes down what it knows, and answers nobody meanwhile: so much it may lose when it is killed.</summary>
    public TimeSpan StorageSavesEvery { get; init; } = TimeSpan.FromSeconds(5);
}
