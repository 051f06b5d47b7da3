namespace Angarium.Mail.Commands;

/// <summary>What a command line was: a command, or the refusal that it gets. The verb is known in both cases where it could be told.</summary>
public readonly record struct ParsedCommand
{
    internal ParsedCommand(SmtpCommand command)
    {
        Verb = command.Verb;
        Command = command;
    }

    internal ParsedCommand(SmtpVerb verb, Reply refusal)
    {
        Verb = verb;
        Refusal = refusal;
    }

    public SmtpVerb Verb { get; }

    /// <summary>Null exactly when <see cref="Refusal"/> is not.</summary>
    public SmtpCommand? Command { get; }

    public Reply? Refusal { get; }
}
