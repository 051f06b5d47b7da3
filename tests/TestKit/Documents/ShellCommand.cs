namespace Angarium.TestKit.Documents;

/// <summary>One command of a script: the program and what it is given, quotes taken away, variables and `$(…)` left as they stand. A value.</summary>
/// <param name="Words">The program first; not empty.</param>
/// <param name="Line">Of the script, from 0.</param>
public sealed record ShellCommand(IReadOnlyList<string> Words, int Line)
{
    public string Program => Words[0];

    public IReadOnlyList<string> Arguments => [.. Words.Skip(1)];

    public override string ToString() => string.Join(' ', Words);
}
