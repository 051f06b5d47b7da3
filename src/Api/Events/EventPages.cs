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
