namespace Angarium.Contracts.Configuration;

/// <summary>How much of a recipient's address the log shows: the setting `Log:Recipients`, of every role that logs them.</summary>
public enum LoggedRecipients { Full, Domain, None }

/// <summary>The recipients of one line of the log. Pure.</summary>
public static class LoggedRecipientsText
{
    /// <summary>Recipients that one line names; it counts them all.</summary>
    private const int MostNamed = 10;

    /// <param name="name">The address of the i-th recipient.</param>
    /// <param name="domain">Its domain.</param>
    public static string Of(this LoggedRecipients how, int count, Func<int, string> name, Func<int, string> domain) => how switch
    {
        LoggedRecipients.None => "",
        LoggedRecipients.Full when count == 1 => name(0),
        LoggedRecipients.Full => Join(Enumerable.Range(0, count).Select(name)),
        _ when count == 1 => domain(0),
        _ => Join(Enumerable.Range(0, count).Select(domain).Distinct()),
    };

    private static string Join(IEnumerable<string> names)
    {
        var first = names.Take(MostNamed + 1).ToArray();
        return string.Join(',', first.Take(MostNamed)) + (first.Length > MostNamed ? ",…" : "");
    }
}
