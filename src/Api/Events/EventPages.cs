using System.ComponentModel;
using Angarium.Spool.Events;

namespace Angarium.Api.Events;

/// <summary>A page of the feed.</summary>
internal sealed record EventPage
{
    public required EventBody[] Events { get; init; }

    [Description("Where to go on, now or at any time later: nothing is skipped.")]
    public required string Cursor { get; init; }

    [Description("There is more already.")]
    public bool More { get; init; }
}

/// <summary>Every step of a message.</summary>
internal sealed record MessageTraceBody
{
    public required string Message { get; init; }

    public required EventBody[] Events { get; init; }
}

/// <summary>A page of messages.</summary>
internal sealed record MessagePage
{
    public required FoundMessage[] Items { get; init; }

    [Description("Where to go on. A message that goes on there comes again, with its further steps.")]
    public required string Cursor { get; init; }

    [Description("There is more already.")]
    public bool More { get; init; }
}

/// <summary>A message that was found.</summary>
internal sealed record FoundMessage
{
    public required string Message { get; init; }

    public string? Sender { get; init; }

    public string[]? Tags { get; init; }

    public required FoundRecipient[] Recipients { get; init; }
}

/// <summary>A recipient of it.</summary>
internal sealed record FoundRecipient
{
    public required string Id { get; init; }

    public string? Recipient { get; init; }

    [Description("The type of its last event on this page.")]
    public required string Status { get; init; }

    public DateTimeOffset Time { get; init; }

    public string? Reply { get; init; }
}
