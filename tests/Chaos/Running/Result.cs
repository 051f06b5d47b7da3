namespace Angarium.Chaos.Running;

/// <summary>What a run hands to the campaign that started it, as a file. Immutable.</summary>
internal sealed record Result(int Seed, int Acknowledged, int Delivered, int Bounced, int Unknown, int Lost, int Doubled, int DoubledWrongly, Dictionary<string, int> Faults, bool IsClean);
