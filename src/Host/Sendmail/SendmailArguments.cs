namespace Angarium.Host.Sendmail;

/// <summary>What a script asked of `sendmail`. The options follow sendmail(8) as other mail systems read them: what means nothing here is accepted and ignored.</summary>
internal sealed record SendmailArguments
{
    public enum Mode { Submit, ListQueue, Nothing, Unsupported }

    public Mode Do { get; init; }

    /// <summary>`-t`: recipients from To, Cc and Bcc.</summary>
    public bool FromHeader { get; init; }

    /// <summary>`-i`, `-oi`: a line with a lone dot is content.</summary>
    public bool IgnoreDots { get; init; }

    /// <summary>`-f`, `-r`: the reverse-path; null = the user at this machine.</summary>
    public string? Sender { get; init; }

    /// <summary>`-F`: the sender's name for a From field that is missing.</summary>
    public string? FullName { get; init; }

    public string? Notify { get; init; }

    public string? Return { get; init; }

    public string? EnvelopeId { get; init; }

    public string? Config { get; init; }

    public string? Server { get; init; }

    public IReadOnlyList<string> Recipients { get; init; } = [];

    /// <summary>Why it cannot be done; null = it can.</summary>
    public string? Mistake { get; init; }

    private static readonly string[] s_notify = ["never", "success", "failure", "delay"];

    public static SendmailArguments Parse(string calledAs, IReadOnlyList<string> args)
    {
        var parsed = new SendmailArguments { Do = calledAs switch { "mailq" => Mode.ListQueue, "newaliases" => Mode.Nothing, _ => Mode.Submit } };
        var recipients = new List<string>();
        for (var i = 0; i < args.Count; i++)
        {
            var arg = args[i];
            if (arg == "--")
            {
                recipients.AddRange(args.Skip(i + 1));
                break;
            }

            if (arg.Length < 2 || arg[0] != '-')
            {
                recipients.Add(arg);
                continue;
            }

            // Options with a value take it from the same word or the next.
            string? value = null;
            if (arg.StartsWith("--", StringComparison.Ordinal))
            {
                value = i + 1 < args.Count ? args[++i] : null;
                if (value is null) return parsed with { Mistake = $"{arg} needs a value" };
                switch (arg)
                {
                    case "--config": parsed = parsed with { Config = value }; break;
                    case "--server": parsed = parsed with { Server = value }; break;
                    default: return parsed with { Mistake = $"unknown option {arg}" };
                }

                continue;
            }

            if ("frFNRVXLCOphBobdqA".Contains(arg[1], StringComparison.Ordinal)) value = arg.Length > 2 ? arg[2..] : "fFrNRVXLCOBA".Contains(arg[1], StringComparison.Ordinal) && i + 1 < args.Count ? args[++i] : null;
            if ("fFrNRV".Contains(arg[1], StringComparison.Ordinal) && value is null) return parsed with { Mistake = $"{arg} needs a value" };
            switch (arg[1])
            {
                case 'f' or 'r': parsed = parsed with { Sender = value!.Trim().TrimStart('<').TrimEnd('>') }; break;
                case 'F': parsed = parsed with { FullName = value }; break;
                case 'N':
                    if (value!.Split(',').Any(word => !s_notify.Contains(word, StringComparer.OrdinalIgnoreCase)))
                        return parsed with { Mistake = "-N takes never, or some of success,failure,delay" };
                    parsed = parsed with { Notify = value.ToUpperInvariant() };
                    break;
                case 'R':
                    if (!value!.Equals("full", StringComparison.OrdinalIgnoreCase) && !value.Equals("hdrs", StringComparison.OrdinalIgnoreCase))
                        return parsed with { Mistake = "-R takes full or hdrs" };
                    parsed = parsed with { Return = value.ToUpperInvariant() };
                    break;
                case 'V': parsed = parsed with { EnvelopeId = value }; break;
                case 'b': parsed = parsed with { Do = value switch { "m" or null => parsed.Do, "p" => Mode.ListQueue, "i" => Mode.Nothing, _ => Mode.Unsupported } }; break;
                case 'o': if (value == "i") parsed = parsed with { IgnoreDots = true }; break;
                case 'q': parsed = parsed with { Do = Mode.Nothing }; break;
                default:
                    // Flags may be bundled: -ti.
                    foreach (var flag in arg[1..])
                    {
                        if (flag == 't') parsed = parsed with { FromHeader = true };
                        else if (flag == 'i') parsed = parsed with { IgnoreDots = true };
                        else if (!"mnvsUGIAe".Contains(flag, StringComparison.Ordinal)) return parsed with { Mistake = $"unknown option -{flag}" };
                    }

                    break;
            }
        }

        parsed = parsed with { Recipients = recipients };
        return parsed.Do == Mode.Submit && recipients.Count == 0 && !parsed.FromHeader ? parsed with { Mistake = "name recipients, or say -t" } : parsed;
    }
}
