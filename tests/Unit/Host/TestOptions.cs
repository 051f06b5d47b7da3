using Angarium.Contracts.Configuration;

namespace Angarium.Unit.Host;

public enum Flavour { Sweet, Sour }

/// <summary>One setting of every type that the binder knows.</summary>
public sealed record TestOptions : IValidates
{
    [Setting("Test:Text", "Some text.", Reloads = true)]
    public string Text { get; init; } = "plain";

    [Setting("Test:Flag", "A flag.")]
    public bool Flag { get; init; }

    [Setting("Test:Count", "A count.", Min = 1, Max = 10, Reloads = true)]
    public int Count { get; init; } = 3;

    [Setting("Test:Size", "A size.", Min = 0)]
    public long Size { get; init; } = 26_214_400;

    [Setting("Test:Ratio", "A ratio.", Min = 0, Max = 0.9)]
    public double Ratio { get; init; } = 0.2;

    [Setting("Test:Wait", "A wait.", Min = 1, Max = 3600, Reloads = true)]
    public TimeSpan Wait { get; init; } = TimeSpan.FromMinutes(5);

    [Setting("Test:Flavour", "A flavour.")]
    public Flavour Flavour { get; init; }

    [Setting("Test:Names", "Names.", Reloads = true)]
    public IReadOnlyList<string> Names { get; init; } = [];

    [Setting("Test:Schedule", "Delays.")]
    public IReadOnlyList<TimeSpan> Schedule { get; init; } = [TimeSpan.FromMinutes(5), TimeSpan.FromHours(1)];

    [Setting("Test:Routes:*", "Routes.", Reloads = true)]
    public IReadOnlyDictionary<string, string> Routes { get; init; } = new Dictionary<string, string>();

    [Setting("Test:Password", "A secret.", Secret = true)]
    public string Password { get; init; } = "";

    [Setting("Test:Limit", "None unless set.")]
    public int? Limit { get; init; }

    public IEnumerable<string> Validate()
    {
        if (Text == "wrong") yield return "Test:Text: must not be wrong; say right.";
    }
}
