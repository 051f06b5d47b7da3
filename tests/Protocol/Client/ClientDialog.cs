using System.Globalization;
using System.Text.RegularExpressions;
using Angarium.TestKit.Dialogs;

namespace Angarium.Protocol.Client;

/// <summary>
/// A readable dialog of our client with a scripted peer (`*.smtp` in this folder). Head: `message [FLAGS] FROM TO[,TO…] CONTENT` (in order; flags: utf8, 8bit, dsn), `outcome TO KIND CODE
/// [duplicate] [own]`, `ended SCOPE`. Then the script of the peer. Kinds and scopes as in the code.
/// </summary>
internal sealed record ClientDialog(IReadOnlyList<(string From, string To, string Content, string Flags)> Messages, IReadOnlyList<string> Outcomes, string? Ended, IReadOnlyList<string> Script)
{
    public static string Folder => Path.Combine(AppContext.BaseDirectory, "Client");

    public static ClientDialog Read(string name)
    {
        var messages = new List<(string, string, string, string)>();
        var outcomes = new List<string>();
        string? ended = null;
        var script = DialogScript.Read(Path.Combine(Folder, name), "message", "outcome", "ended");
        foreach (var (word, text) in script.Head)
        {
            if (word == "outcome") outcomes.Add(text);
            else if (word == "ended") ended = text;
            else
            {
                var match = Regex.Match(text, @"^(?<flags>\[[^\]]*\] )?(?<from>\S+) (?<to>\S+) ?(?<content>.*)$");
                messages.Add((match.Groups["from"].Value.Trim('<', '>'), match.Groups["to"].Value, Regex.Unescape(match.Groups["content"].Value), match.Groups["flags"].Value));
            }
        }

        return new ClientDialog(messages, outcomes, ended, script.Steps);
    }

    public static string Describe(string address, Egress.Sessions.DeliveryVerdict verdict, bool owes) =>
        string.Create(CultureInfo.InvariantCulture, $"{address} {verdict.Kind} {verdict.Reply.Code} {verdict.Reply.Status}").TrimEnd()
        + (verdict.PossibleDuplicate ? " duplicate" : "") + (verdict.Own ? " own" : "") + (owes ? " owes" : "");
}
