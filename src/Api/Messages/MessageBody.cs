using System.ComponentModel;

namespace Angarium.Api.Messages;

/// <summary>A message to send.</summary>
internal sealed record MessageBody
{
    [Description("Who writes: of a verified domain of the tenant.")]
    public required PartyBody From { get; init; }

    public PartyBody[] To { get; init; } = [];

    public PartyBody[] Cc { get; init; } = [];

    [Description("Recipients whom the others do not see.")]
    public PartyBody[] Bcc { get; init; } = [];

    public PartyBody[] ReplyTo { get; init; } = [];

    public string Subject { get; init; } = "";

    public string? Text { get; init; }

    public string? Html { get; init; }

    public AttachmentBody[] Attachments { get; init; } = [];

    [Description("Further fields of the header, such as `List-Unsubscribe`.")]
    public Dictionary<string, string> Headers { get; init; } = [];

    [Description("What events are found by: at most 10, of up to 64 characters.")]
    public string[] Tags { get; init; } = [];

    [Description("What events carry: at most 20 names with values.")]
    public Dictionary<string, string> Metadata { get; init; } = [];

    [Description("No attempt before it; at most 30 days ahead.")]
    public DateTimeOffset? SendAt { get; init; }

    [Description("`transactional` (goes first) or `bulk`.")]
    public string Class { get; init; } = "transactional";
}

/// <summary>An author or a recipient.</summary>
internal sealed record PartyBody
{
    public required string Email { get; init; }

    public string? Name { get; init; }

    [Description("Of `to` only: what takes the place of `{{name}}` in subject, text and html. As soon as one recipient has some, each gets a message of its own.")]
    public Dictionary<string, string>? Substitutions { get; init; }
}

/// <summary>An attachment, or with `contentId` a part that the html refers to as `cid:`.</summary>
internal sealed record AttachmentBody
{
    public required string Name { get; init; }

    public string Type { get; init; } = "application/octet-stream";

    [Description("In base64.")]
    public required byte[] Content { get; init; }

    public string? ContentId { get; init; }
}

/// <summary>What was taken, once it is durable.</summary>
internal sealed record MessageAnswer
{
    public required AcceptedBody[] Recipients { get; init; }

    [Description("With 207: those that nothing was taken for, and why. Send it to these alone again.")]
    public RefusedBody[]? Refused { get; init; }
}

/// <summary>A recipient that nothing was taken for.</summary>
internal sealed record RefusedBody
{
    public required string Email { get; init; }

    public required string Reason { get; init; }
}

/// <summary>A recipient that mail was taken for.</summary>
internal sealed record AcceptedBody
{
    public required string Email { get; init; }

    [Description("The message, as the 250 of SMTP and `angarium trace` name it.")]
    public required string Message { get; init; }

    [Description("This recipient of it, as events name it.")]
    public required string Id { get; init; }
}
