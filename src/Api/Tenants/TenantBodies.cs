using System.ComponentModel;
using Angarium.Contracts.Tenants;

namespace Angarium.Api.Tenants;

// What is sent and answered, as JSON. Each member's description is the one of the reference.

/// <summary>A new tenant.</summary>
internal sealed record NewTenant
{
    [Description("What people call it.")]
    public required string Name { get; init; }

    [Description("Its first sending domain.")]
    public string? Domain { get; init; }
}

/// <summary>What came of it: all that is needed to send a first message.</summary>
internal sealed record NewTenantAnswer
{
    public required TenantBody Tenant { get; init; }

    [Description("An API key that may do everything for this tenant. Shown once.")]
    public required string ApiKey { get; init; }

    [Description("For submission on ports 587 and 465.")]
    public required NewCredentialAnswer Smtp { get; init; }

    [Description("The records of the DNS to publish, ready to paste into a zone.")]
    public required string[] Records { get; init; }
}

/// <summary>A tenant.</summary>
internal sealed record TenantBody
{
    public required string Id { get; init; }

    public required string Name { get; init; }

    public DateTimeOffset Created { get; init; }

    public bool Paused { get; init; }

    public required string Pool { get; init; }

    [Description("A return path for each recipient: `none` or `recipient`.")]
    public required string Verp { get; init; }

    public required QuotaBody Quota { get; init; }

    public required UsageBody Usage { get; init; }

    public required DomainBody[] Domains { get; init; }

    public static TenantBody Of(TenantView tenant) => new()
    {
        Id = tenant.Id, Name = tenant.Name, Created = tenant.Created, Paused = tenant.IsPaused, Pool = tenant.Pool, Verp = tenant.Verp ? "recipient" : "none", Quota = QuotaBody.Of(tenant.Quota),
        Usage = new UsageBody { Hour = tenant.Usage.InHour, Day = tenant.Usage.InDay }, Domains = [.. tenant.Domains.Select(d => DomainBody.Of(d, null))],
    };
}

/// <summary>What a tenant may do; 0 = no limit of its own.</summary>
internal sealed record QuotaBody
{
    [Description("Messages a second, smoothly.")]
    public double PerSecond { get; init; }

    [Description("Messages an hour (of UTC).")]
    public long PerHour { get; init; }

    [Description("Messages a day (of UTC).")]
    public long PerDay { get; init; }

    [Description("SMTP connections at a time.")]
    public int Connections { get; init; }

    [Description("Recipients of one message.")]
    public int Recipients { get; init; }

    [Description("Octets of one message.")]
    public long Size { get; init; }

    public static QuotaBody Of(QuotaView q) => new() { PerSecond = q.PerSecond, PerHour = q.PerHour, PerDay = q.PerDay, Connections = q.Connections, Recipients = q.Recipients, Size = q.Size };

    public QuotaView ToView() => new() { PerSecond = PerSecond, PerHour = PerHour, PerDay = PerDay, Connections = Connections, Recipients = Recipients, Size = Size };
}

/// <summary>Messages counted in the present hour and day.</summary>
internal sealed record UsageBody
{
    public long Hour { get; init; }

    public long Day { get; init; }
}

/// <summary>What is to be different; what is left out stays.</summary>
internal sealed record TenantPatch
{
    public string? Name { get; init; }

    [Description("Administrators only.")]
    public bool? Paused { get; init; }

    [Description("Administrators only.")]
    public string? Pool { get; init; }

    [Description("`none` or `recipient`.")]
    public string? Verp { get; init; }

    [Description("Administrators only; all of it is replaced.")]
    public QuotaBody? Quota { get; init; }
}

/// <summary>A page of a list.</summary>
internal sealed record Page<T>
{
    public required T[] Items { get; init; }

    [Description("Give it back as `after` for the next page; absent on the last.")]
    public string? Next { get; init; }
}

/// <summary>A sending domain to add.</summary>
internal sealed record NewDomain
{
    public required string Name { get; init; }
}

/// <summary>A sending domain and what has to be published for it.</summary>
internal sealed record DomainBody
{
    public required string Name { get; init; }

    [Description("`pending`, `verified`, `warning` or `failed`.")]
    public required string Status { get; init; }

    public DateTimeOffset Since { get; init; }

    public DateTimeOffset? Checked { get; init; }

    public required RecordBody[] Records { get; init; }

    public static DomainBody Of(DomainView domain, RecordCheck[]? checks) => new()
    {
        Name = domain.Name, Status = domain.Status, Since = domain.Since, Checked = domain.Checked,
        Records = [.. domain.Records.Select(r => RecordBody.Of(r, checks is null ? null : Array.Find(checks, c => c.Expected.Name == r.Name && c.Expected.Purpose == r.Purpose)))],
    };
}

/// <summary>A record of the DNS: what is expected, and after a look what was found.</summary>
internal sealed record RecordBody
{
    [Description("`ownership`, `dkim`, `spf`, `return-path` or `dmarc`.")]
    public required string Purpose { get; init; }

    [Description("Without it the domain is not verified.")]
    public bool Required { get; init; }

    public required string Type { get; init; }

    public required string Name { get; init; }

    public required string Value { get; init; }

    [Description("`ok`, `missing`, `wrong`, `doubled` or `unknown`.")]
    public string? State { get; init; }

    public string[]? Found { get; init; }

    public static RecordBody Of(DomainRecord record, RecordCheck? check) => new()
    {
        Purpose = record.Purpose, Required = record.IsRequired, Type = record.Type, Name = record.Name, Value = record.Value, State = check?.State.ToString().ToLowerInvariant(), Found = check?.Found,
    };
}

/// <summary>Something that has a name for people.</summary>
internal sealed record Named
{
    public required string Name { get; init; }
}

/// <summary>A new name and password of submission.</summary>
internal sealed record NewCredentialAnswer
{
    public required string User { get; init; }

    [Description("Shown once.")]
    public required string Password { get; init; }
}

/// <summary>A credential without its password.</summary>
internal sealed record CredentialBody
{
    public required string User { get; init; }

    public required string Name { get; init; }

    public DateTimeOffset Created { get; init; }
}

/// <summary>An API key to make.</summary>
internal sealed record NewKey
{
    public required string Name { get; init; }

    [Description("`send`, `read`, `manage`.")]
    public required string[] Scopes { get; init; }
}

/// <summary>A new API key.</summary>
internal sealed record NewKeyAnswer
{
    public required string Id { get; init; }

    [Description("Shown once.")]
    public required string Key { get; init; }
}

/// <summary>An API key without its secret.</summary>
internal sealed record KeyBody
{
    public required string Id { get; init; }

    public required string Name { get; init; }

    public required string[] Scopes { get; init; }

    public DateTimeOffset Created { get; init; }
}

/// <summary>A change of a tenant.</summary>
internal sealed record AuditBody
{
    [Description("The tenant's version that it made. Of the last one of a page: `before` of the next.")]
    public long Change { get; init; }

    public DateTimeOffset Time { get; init; }

    [Description("`administrator` (the key of the configuration), `administrator` or `key` with the id of one, or `system`.")]
    public required string Actor { get; init; }

    public required string Action { get; init; }

    [Description("Of what: a domain, a credential, a key; absent = of the tenant itself.")]
    public string? Target { get; init; }

    public static AuditBody Of(AuditEntry entry) => new() { Change = entry.Change, Time = entry.Time, Actor = entry.Actor, Action = entry.Action, Target = entry.Target.Length > 0 ? entry.Target : null };
}
