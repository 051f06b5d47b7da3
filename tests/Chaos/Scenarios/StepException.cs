namespace Angarium.Chaos.Scenarios;

/// <summary>What a step shows is not so.</summary>
internal sealed class StepException(string message) : Exception(message);
