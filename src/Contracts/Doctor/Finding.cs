namespace Angarium.Contracts.Doctor;

/// <summary>How a check ended.</summary>
public enum FindingState { Ok, Warning, Failed }

/// <summary>What `angarium doctor` found at one thing that a process needs of its surroundings. A value.</summary>
/// <param name="Check">What was looked at, in a word or two.</param>
/// <param name="State">How it stands.</param>
/// <param name="Text">What was found.</param>
/// <param name="Fix">What to do about it; empty = nothing.</param>
public sealed record Finding(string Check, FindingState State, string Text, string Fix = "")
{
    public static Finding Ok(string check, string text) => new(check, FindingState.Ok, text);

    public static Finding Warning(string check, string text, string fix) => new(check, FindingState.Warning, text, fix);

    public static Finding Failed(string check, string text, string fix) => new(check, FindingState.Failed, text, fix);
}
