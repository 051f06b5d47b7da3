using System.ComponentModel;
using Angarium.Contracts.Inbound;

namespace Angarium.Api.Inbound;

// What is sent and answered, as JSON. Each member's description is the one of the reference.

/// <summary>A domain to take mail from the internet for.</summary>
internal sealed record NewInbound
{
    [Description("A verified sending domain of the tenant; an administrator may name any.")]
    public required string Domain { get; init; }

    [Description("The host that takes its mail: `mail.example.org`, `mail.example.org:2525`, `192.0.2.1:25` or `[2001:db8::1]:25`. Empty: by MX.")]
    public string? Route { get; init; }

    [Description("Local parts or addresses. Mail for others is refused at RCPT, unless it catches all.")]
    public string[]? Recipients { get; init; }

    [Description("Mail for anybody at the domain is taken. Left out: as long as no recipients are named.")]
    public bool? CatchAll { get; init; }

    [Description("The route may lead to addresses that are not public. Administrators only.")]
    public bool? Private { get; init; }
}

/// <summary>What is to be different; what is left out stays.</summary>
internal sealed record InboundPatch
{
    [Description("Empty: by MX.")]
    public string? Route { get; init; }

    public bool? CatchAll { get; init; }

    [Description("Administrators only. A new route is not private unless this says so with it.")]
    public bool? Private { get; init; }
}

/// <summary>A domain that the relay takes mail from the internet for.</summary>
internal sealed record InboundBody
{
    public required string Domain { get; init; }

    [Description("`active`, `paused` (as its tenant is) or `unverified`: then no mail is taken, and its route counts for nothing.")]
    public required string Status { get; init; }

    [Description("Empty: by MX.")]
    public required string Route { get; init; }

    public bool Private { get; init; }

    public bool CatchAll { get; init; }

    [Description("How many are named.")]
    public int Recipients { get; init; }

    public DateTimeOffset Created { get; init; }

    public static InboundBody Of(InboundView domain) => new()
    {
        Domain = domain.Domain, Status = domain.Status, Route = domain.Route, Private = domain.IsPrivate, CatchAll = domain.CatchAll, Recipients = domain.Recipients, Created = domain.Created,
    };
}

/// <summary>Recipients to add.</summary>
internal sealed record NewRecipients
{
    [Description("Local parts or addresses.")]
    public required string[] Recipients { get; init; }
}
