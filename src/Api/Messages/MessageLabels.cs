using Angarium.Api.Problems;
using Angarium.Mail;
using Angarium.Spool.Events;
using Microsoft.AspNetCore.Http;

namespace Angarium.Api.Messages;

/// <summary>Judges what a sender wants to find a message by. Pure.</summary>
internal static class MessageLabels
{
    private const int MaxTags = 10, MaxTag = 64, MaxMetadata = 20, MaxName = 64, MaxValue = 500;

    /// <summary>The text to keep (null = there is nothing to keep), or why it cannot be kept.</summary>
    public static (string? Text, IResult? Refusal) Of(string[] tags, Dictionary<string, string> metadata)
    {
        if (tags.Length > MaxTags || tags.Any(tag => tag is not { Length: > 0 and <= MaxTag } || tag.Any(char.IsControl))) return (null, ApiProblem.Invalid("tags", $"At most {MaxTags}, of 1 to {MaxTag} printable characters."));
        if (metadata.Count > MaxMetadata || metadata.Any(one => one.Key is not { Length: > 0 and <= MaxName } || one.Value is not { Length: <= MaxValue } || (one.Key + one.Value).Any(char.IsControl)))
            return (null, ApiProblem.Invalid("metadata", $"At most {MaxMetadata}, with names of 1 to {MaxName} and values of up to {MaxValue} printable characters."));
        if (tags.Length + metadata.Count == 0) return (null, null);
        var text = new EventLabels { Tags = tags.Length > 0 ? tags : null, Metadata = metadata.Count > 0 ? metadata : null }.ToString();
        return text.Length <= Envelope.MaxLabels ? (text, null) : (null, ApiProblem.Invalid("metadata", $"With the tags at most {Envelope.MaxLabels} characters in all."));
    }
}
