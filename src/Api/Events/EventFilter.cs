using Angarium.Spool.Events;
using Angarium.Spool.Ledger;
using Microsoft.AspNetCore.Mvc;

namespace Angarium.Api.Events;

/// <summary>Which events are asked for: the parameters of a query. Immutable.</summary>
internal readonly record struct EventFilter
{
    /// <summary>Of the page before; null = from <see cref="Since"/>, or from the beginning.</summary>
    [FromQuery(Name = "cursor")]
    public string? Cursor { get; init; }

    [FromQuery(Name = "since")]
    public DateTimeOffset? Since { get; init; }

    [FromQuery(Name = "until")]
    public DateTimeOffset? Until { get; init; }

    [FromQuery(Name = "limit")]
    public int? Limit { get; init; }

    /// <summary>Administrators: one tenant's alone.</summary>
    [FromQuery(Name = "tenant")]
    public string? Tenant { get; init; }

    [FromQuery(Name = "recipient")]
    public string? Recipient { get; init; }

    [FromQuery(Name = "sender")]
    public string? Sender { get; init; }

    [FromQuery(Name = "tag")]
    public string? Tag { get; init; }

    public bool Wants(LedgerRecord record, string? whose)
    {
        if (EventBody.TypeOf(record) is null || record.Summary is not { } summary || whose is not null && summary.Tenant != whose) return false;
        var time = record.Time.ToDateTimeOffset();
        return (Recipient is not { } recipient || summary.Recipient.Equals(recipient, StringComparison.OrdinalIgnoreCase)) && (Sender is not { } sender || summary.ReversePath.Equals(sender, StringComparison.OrdinalIgnoreCase))
            && (Since is not { } since || time >= since) && (Until is not { } until || time < until) && (Tag is not { } tag || EventLabels.Parse(summary.Labels)?.Tags?.Contains(tag) == true);
    }
}
