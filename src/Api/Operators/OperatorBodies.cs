using System.ComponentModel;
using Angarium.Contracts.Admin;
using Angarium.Contracts.Tenants;
using Angarium.Mail;

namespace Angarium.Api.Operators;

// What is sent and answered, as JSON. Each member's description is the one of the reference.

/// <summary>All queues in a table.</summary>
internal sealed record QueueTable
{
    [Description("What rows are of: `domain`, `site` or `tenant`.")]
    public required string By { get; init; }

    [Description("What each of a row's `ages` is younger than, in minutes; the last of them has no end.")]
    public int[] Minutes { get; init; } = ShapeRow.Minutes;

    [Description("The largest first.")]
    public required QueueTableRow[] Rows { get; init; }

    [Description("Of all rows, also of those that are left out.")]
    public required QueueTableRow Total { get; init; }

    [Description("Rows that are left out.")]
    public long MoreRows { get; init; }

    [Description("Ages are in part those of samples of long queues; the numbers of recipients are exact.")]
    public bool Sampled { get; init; }

    [Description("The queue index could not be reached: what waits there is not counted.")]
    public bool IndexAway { get; init; }

    [Description("Silos that did not answer: what only they have in memory, mail of the last seconds, is not counted.")]
    public int SilentSilos { get; init; }

    public static QueueTable Of(string by, QueueShape shape) => new()
    {
        By = by, Rows = [.. shape.Rows.Select(QueueTableRow.Of)], Total = QueueTableRow.Of(shape.Total), MoreRows = shape.MoreRows, Sampled = shape.IsSampled, IndexAway = shape.IndexAway, SilentSilos = shape.SilentSilos,
    };
}

/// <summary>Queued recipients of one domain, site or tenant.</summary>
internal sealed record QueueTableRow
{
    public required string Name { get; init; }

    [Description("Recipients.")]
    public long Queued { get; init; }

    [Description("The same by how long ago they were accepted.")]
    public required long[] Ages { get; init; }

    public static QueueTableRow Of(ShapeRow row) => new() { Name = row.Name, Queued = row.Queued, Ages = row.Ages };
}

/// <summary>A domain and how many of its recipients are queued.</summary>
internal sealed record DomainCount
{
    public required string Domain { get; init; }

    public long Queued { get; init; }
}

/// <summary>One domain's queue.</summary>
internal sealed record QueueBody
{
    public required string Domain { get; init; }

    [Description("Recipients.")]
    public long Queued { get; init; }

    [Description("Recipients that are being tried now.")]
    public int UnderWay { get; init; }

    public bool Held { get; init; }

    [Description("Where its mail goes; after the name of a pool and `!` in any but `default`.")]
    public string? Site { get; init; }

    [Description("Connections to the site failed: none is made before this.")]
    public DateTimeOffset? SuspendedUntil { get; init; }

    [Description("Why they failed.")]
    public string? Trouble { get; init; }

    [Description("The queue index could not be reached: what waits there is neither counted nor listed.")]
    public bool IndexAway { get; init; }

    [Description("Operators' orders that keep mail of this domain from being sent.")]
    public required SuspensionBody[] Suspensions { get; init; }

    [Description("By when they are due.")]
    public required QueuedBody[] Recipients { get; init; }

    public static QueueBody Of(QueueSnapshot snapshot) => new()
    {
        Domain = snapshot.Domain, Queued = snapshot.Queued, UnderWay = snapshot.Leased, Held = snapshot.Held, Site = snapshot.Site, SuspendedUntil = Times.Of(snapshot.SuspendedUntil), Trouble = snapshot.SiteTrouble,
        IndexAway = snapshot.IndexAway, Suspensions = [.. snapshot.Suspensions.Select(SuspensionBody.Of)], Recipients = [.. snapshot.Recipients.Select(QueuedBody.Of)],
    };
}

/// <summary>A queued recipient.</summary>
internal sealed record QueuedBody
{
    public required string Id { get; init; }

    public required string Message { get; init; }

    public required string Tenant { get; init; }

    public int Attempts { get; init; }

    public DateTimeOffset? Due { get; init; }

    public DateTimeOffset? Accepted { get; init; }

    [Description("`ready`, `leased`, `waiting`, `held`, `suspended` or `deciding`.")]
    public required string State { get; init; }

    [Description("Absent where it could not be read just now.")]
    public string? Sender { get; init; }

    public string? Recipient { get; init; }

    [Description("Octets.")]
    public long Size { get; init; }

    public static QueuedBody Of(QueuedRecipient one) => new()
    {
        Id = one.Key.ToString(), Message = one.Message.ToString(), Tenant = one.Tenant, Attempts = one.Attempts, Due = Times.Of(one.Due), Accepted = Times.Of(one.Born), State = one.State, Sender = one.Sender, Recipient = one.Address,
        Size = one.Size,
    };
}

/// <summary>What of all queues an order is for, and why.</summary>
internal sealed record QueueOrder
{
    public string? Domain { get; init; }

    [Description("Its id; alone.")]
    public string? Message { get; init; }

    [Description("Whose mail; with a domain or in all of them. Not of `hold` and `release`: suspend the tenant.")]
    public string? Tenant { get; init; }

    [Description("All domains whose mail goes there. Not of `hold` and `release`: suspend the site.")]
    public string? Site { get; init; }

    [Description("Of `retry`: every domain.")]
    public bool? All { get; init; }

    [Description("Goes into the audit; of `drop` also into each recipient's event.")]
    public string? Reason { get; init; }

    [Description("Of `drop`: senders are told, as of a failure; the events are `failed` then, not `dropped`.")]
    public bool? Notify { get; init; }
}

/// <summary>What came of an order.</summary>
internal sealed record OrderAnswer
{
    [Description("Domains that it was carried out at.")]
    public int Domains { get; init; }

    [Description("Recipients that it changed.")]
    public long Recipients { get; init; }

    [Description("Domains at which it could not be carried out, or not to the end; it may be given again.")]
    public int Failed { get; init; }

    [Description("Why, of one of them.")]
    public string? Trouble { get; init; }

    [Description("How the domain stands now, where it is one.")]
    public QueueBody? After { get; init; }
}

/// <summary>What is to be suspended.</summary>
internal sealed record NewSuspension
{
    [Description("`site`, `tenant` or `source`.")]
    public required string Kind { get; init; }

    [Description("Of a site also a domain whose mail goes there; a source is an address that mail goes out from, or the name that it greets with.")]
    public required string Name { get; init; }

    [Description("How long; absent = until it is resumed.")]
    public long? Seconds { get; init; }

    public string? Reason { get; init; }
}

/// <summary>What is to be resumed.</summary>
internal sealed record EndOfSuspension
{
    [Description("`site`, `tenant` or `source`.")]
    public required string Kind { get; init; }

    [Description("As it is listed.")]
    public required string Name { get; init; }
}

/// <summary>A suspension in force: what it names is neither sent nor given up.</summary>
internal sealed record SuspensionBody
{
    public required string Kind { get; init; }

    public required string Name { get; init; }

    [Description("Absent = until it is resumed.")]
    public DateTimeOffset? Until { get; init; }

    public DateTimeOffset? Since { get; init; }

    public required string Actor { get; init; }

    public string? Reason { get; init; }

    public static SuspensionBody Of(Suspension one) => new()
    {
        Kind = one.Kind.ToString().ToLowerInvariant(), Name = one.Name, Until = Times.Of(one.Until), Since = Times.Of(one.Since), Actor = one.Actor, Reason = one.Reason.Length > 0 ? one.Reason : null,
    };
}

/// <summary>Where a domain's mail goes, and what bounds it.</summary>
internal sealed record ExplanationBody
{
    public required string Domain { get; init; }

    public required string Site { get; init; }

    [Description("The setting that says so, or `MX`.")]
    public required string From { get; init; }

    [Description("In the order in which they are tried, with their addresses or what is wrong with them.")]
    public required string[] Hosts { get; init; }

    [Description("Why its mail goes nowhere now.")]
    public string? Trouble { get; init; }

    [Description("Without its recipients.")]
    public required QueueBody Queue { get; init; }

    [Description("How its site stands towards each pool.")]
    public required SiteBody[] Sites { get; init; }

    public required LimitBody[] Limits { get; init; }

    public static ExplanationBody Of(DomainExplanation one) => new()
    {
        Domain = one.Domain, Site = one.Site, From = one.From, Hosts = one.Hosts, Trouble = one.Trouble, Queue = QueueBody.Of(one.Queue), Sites = [.. one.Sites.Select(SiteBody.Of)],
        Limits = [.. one.Limits.Select(limit => new LimitBody { Name = limit.Name, Value = limit.Value, From = limit.From })],
    };
}

/// <summary>How a site stands towards one pool.</summary>
internal sealed record SiteBody
{
    public required string Pool { get; init; }

    [Description("That there are now.")]
    public int Connections { get; init; }

    [Description("Connections that it may have now.")]
    public int Window { get; init; }

    [Description("Connections failed: none is made before this.")]
    public DateTimeOffset? SuspendedUntil { get; init; }

    public string? Trouble { get; init; }

    public static SiteBody Of(SiteView view) => new() { Pool = view.Pool, Connections = view.Connections, Window = view.Window, SuspendedUntil = Times.Of(view.SuspendedUntil), Trouble = view.Trouble };
}

/// <summary>A limit in force.</summary>
internal sealed record LimitBody
{
    public required string Name { get; init; }

    public required string Value { get; init; }

    [Description("The setting that it comes from.")]
    public required string From { get; init; }
}

/// <summary>An operator's order.</summary>
internal sealed record OrderBody
{
    [Description("Of the last one of a page: `before` of the next.")]
    public long Number { get; init; }

    public DateTimeOffset Time { get; init; }

    [Description("`administrator` (the key of the configuration), `administrator` with the id of a key, or `operator`: whoever may open the socket in `Data`.")]
    public required string Actor { get; init; }

    [Description("`suspend`, `resume`, `retry`, `drop`, `hold` or `release`.")]
    public required string Action { get; init; }

    public required string Target { get; init; }

    [Description("Its reason, how long it holds.")]
    public string? Detail { get; init; }

    public static OrderBody Of(AuditEntry entry) => new() { Number = entry.Change, Time = entry.Time, Actor = entry.Actor, Action = entry.Action, Target = entry.Target, Detail = entry.Detail };
}

/// <summary>The store's times as JSON has them. Pure.</summary>
file static class Times
{
    public static DateTimeOffset? Of(StoreTime time) => time == default ? null : time.ToDateTimeOffset();
}
