using System.CommandLine;
using Angarium.Host.Commands;
using Angarium.Host.Configuration;
using Angarium.Host.Sendmail;

namespace Angarium.Unit.Documents;

/// <summary>A command line of the program itself, judged by its own parser; and what that leaves to the command, such as names of settings, kinds and roles. Pure.</summary>
internal static class AngariumLine
{
    /// <summary>What is wrong with it; null = nothing.</summary>
    public static string? Mistake(IReadOnlyList<string> arguments)
    {
        if (arguments is ["sendmail" or "mailq", ..]) return Sendmail(arguments[0], [.. arguments.Skip(1)]);
        var line = CommandLine.Build().Parse([.. arguments]);
        if (line.Errors.Count > 0) return line.UnmatchedTokens is [var word, ..] ? $"there is no `{word}`" : line.Errors[0].Message;
        return Values(line.CommandResult.Command, arguments);
    }

    public static string? Sendmail(string calledAs, IReadOnlyList<string> arguments) => SendmailArguments.Parse(calledAs, arguments).Mistake;

    /// <summary>Whether these words lead to a command, whatever it takes: a page may speak of `queue retry` without saying of what.</summary>
    public static bool IsCommand(IReadOnlyList<string> words)
    {
        Command at = CommandLine.Build();
        foreach (var word in words)
        {
            if (at.Subcommands.FirstOrDefault(command => command.Name == word) is not { } next) return false;
            at = next;
        }

        return true;
    }

    private static string? Values(Command command, IReadOnlyList<string> arguments)
    {
        for (var i = 0; i < arguments.Count; i++)
        {
            var value = i + 1 < arguments.Count ? arguments[i + 1] : "";
            var mistake = arguments[i] switch
            {
                "--set" => SettingCatalog.All.Find(value.Split('=')[0]) is null ? $"there is no setting {value.Split('=')[0]}" : null,
                "--by" => value is "domain" or "site" or "tenant" ? null : $"--by {value}",
                "--for" => SettingText.TryParse(typeof(TimeSpan), value, out _, out var expected) ? null : $"--for {value} is not {expected}",
                "--role" => value.Split(',').All(role => role is "ingress" or "egress" or "api" or "ROLE" || role.StartsWith('$')) ? null : $"--role {value}",
                "--quota" => value.Split(',').All(pair => pair.Split('=')[0] is "perSecond" or "perHour" or "perDay" or "connections" or "recipients" or "size") ? null : $"--quota {value}",
                _ => null,
            };
            if (mistake is not null) return mistake;
        }

        return command.Name is "suspend" or "resume" && command.Arguments.Count == 2 && arguments[1] is not ("site" or "tenant" or "source") ? $"nobody can {command.Name} a `{arguments[1]}`" : null;
    }
}
