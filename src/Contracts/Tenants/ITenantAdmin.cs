namespace Angarium.Contracts.Tenants;

/// <summary>
/// A tenant as its owner and the operators see and change it. Key: the tenant's id. Every answer says what is true after it; a problem says which field is to blame. Secrets are in the answer
/// that makes them and never again. Role: api.
/// </summary>
[Alias("angarium.ITenantAdmin")]
public interface ITenantAdmin : IGrainWithStringKey
{
    /// <summary>Makes the tenant, if nobody has this id.</summary>
    [Alias("Create")]
    Task<TenantResult> Create(TenantDraft draft);

    [Alias("Read")]
    Task<TenantResult> Read();

    /// <param name="change">Null members stay as they are.</param>
    [Alias("Change")]
    Task<TenantResult> Change(TenantChange change);

    [Alias("Delete")]
    Task<TenantResult> Delete(long? ifVersion);

    /// <summary>Which of the tenant's API keys it is; null = none.</summary>
    [Alias("Check")]
    Task<KnownKey?> Check(string key);

    /// <summary>What was changed and by whom, the newest first: from before <paramref name="before"/> (null = all).</summary>
    [Alias("Audit")]
    Task<AuditEntry[]?> Audit(long? before, int limit);

    [Alias("AddDomain")]
    Task<TenantResult> AddDomain(string name);

    /// <summary>Looks its records up now.</summary>
    [Alias("VerifyDomain")]
    Task<TenantResult> VerifyDomain(string name);

    [Alias("RemoveDomain")]
    Task<TenantResult> RemoveDomain(string name);

    /// <summary>New keys for the domain. Those that sign go on until the records of the new ones are seen.</summary>
    [Alias("RotateKeys")]
    Task<TenantResult> RotateKeys(string name);

    [Alias("AddCredential")]
    Task<TenantResult> AddCredential(string name);

    [Alias("RemoveCredential")]
    Task<TenantResult> RemoveCredential(string id);

    [Alias("AddKey")]
    Task<TenantResult> AddKey(string name, KeyScopes scopes);

    [Alias("RemoveKey")]
    Task<TenantResult> RemoveKey(string id);

    /// <param name="id">Null = all.</param>
    [Alias("Webhooks")]
    Task<WebhookResult> Webhooks(string? id);

    [Alias("AddWebhook")]
    Task<WebhookResult> AddWebhook(WebhookChange draft);

    [Alias("ChangeWebhook")]
    Task<WebhookResult> ChangeWebhook(string id, WebhookChange change);

    [Alias("RemoveWebhook")]
    Task<WebhookResult> RemoveWebhook(string id);

    /// <summary>A new secret. For a day what is posted is signed with the one before, too.</summary>
    [Alias("RotateWebhookSecret")]
    Task<WebhookResult> RotateWebhookSecret(string id);

    /// <summary>It is posted to again, at once, from where it was left.</summary>
    [Alias("EnableWebhook")]
    Task<WebhookResult> EnableWebhook(string id);

    /// <summary>Posts an event of the type `test`, once, and tells what became of it.</summary>
    [Alias("TestWebhook"), ResponseTimeout("00:01:30")]
    Task<WebhookResult> TestWebhook(string id);
}

/// <summary>Which tenants there are. Key: 0. Role: api.</summary>
[Alias("angarium.ITenantDirectory")]
public interface ITenantDirectory : IGrainWithIntegerKey
{
    /// <summary>Ids in order, from behind <paramref name="after"/>.</summary>
    [Alias("List")]
    Task<string[]> List(string? after, int limit);
}

/// <summary>What an API key may do. Numbers are stored and cross the wire.</summary>
[Flags]
public enum KeyScopes : byte { None = 0, Send = 1, Read = 2, Manage = 4, All = Send | Read | Manage }

/// <summary>An API key that was recognised. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.KnownKey")]
public sealed record KnownKey([property: Id(0)] string Id, [property: Id(1)] KeyScopes Scopes);

/// <summary>One change of a tenant, or one order of an operator. A value; also as stored.</summary>
[GenerateSerializer, Immutable, Alias("angarium.AuditEntry")]
public sealed record AuditEntry
{
    /// <summary>The tenant's version that it made; of orders their number.</summary>
    [Id(0)] public long Change { get; init; }

    [Id(1)] public DateTimeOffset Time { get; init; }

    /// <summary>Who: see <see cref="Administrators.Actor"/>.</summary>
    [Id(2)] public required string Actor { get; init; }

    /// <summary>What, as the operation of the API is called.</summary>
    [Id(3)] public required string Action { get; init; }

    /// <summary>Of what: a domain, a credential, a key; empty = of the tenant itself.</summary>
    [Id(4)] public string Target { get; init; } = "";

    /// <summary>Of an order: its reason, how long it holds.</summary>
    [Id(5)] public string? Detail { get; init; }
}

/// <summary>Why something was not done.</summary>
public enum ProblemKind : byte
{
    /// <summary>There is no such thing, or it is another's: nobody is told which.</summary>
    NotFound = 1,

    /// <summary>The field is not what it has to be.</summary>
    Invalid = 2,

    /// <summary>It is there already.</summary>
    Conflict = 3,

    /// <summary>It was changed since it was read.</summary>
    Stale = 4,

    /// <summary>There is no room for one more.</summary>
    Full = 5,

    /// <summary>It cannot be done now, or not as this cluster is configured.</summary>
    Unavailable = 6,
}

/// <summary>Why something was not done, for whoever asked. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.Problem")]
public sealed record Problem([property: Id(0)] ProblemKind Kind, [property: Id(1)] string Field, [property: Id(2)] string Detail);

/// <summary>What came of a request. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.TenantResult")]
public sealed record TenantResult
{
    /// <summary>Null = it was done.</summary>
    [Id(0)] public Problem? Problem { get; init; }

    [Id(1)] public TenantView? Tenant { get; init; }

    /// <summary>The id of what was made.</summary>
    [Id(2)] public string? Made { get; init; }

    /// <summary>The password or key that was made: shown once.</summary>
    [Id(3)] public string? Secret { get; init; }

    /// <summary>What the records of a domain looked like, if they were looked up.</summary>
    [Id(4)] public RecordCheck[]? Checks { get; init; }
}

/// <summary>A new tenant. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.TenantDraft")]
public sealed record TenantDraft
{
    [Id(0)] public required string Name { get; init; }

    /// <summary>Its first domain; null = none yet.</summary>
    [Id(1)] public string? Domain { get; init; }
}

/// <summary>What is to be different. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.TenantChange")]
public sealed record TenantChange
{
    /// <summary>Only if that is what it is now; null = whatever it is.</summary>
    [Id(0)] public long? IfVersion { get; init; }

    [Id(1)] public string? Name { get; init; }

    [Id(2)] public bool? IsPaused { get; init; }

    [Id(3)] public string? Pool { get; init; }

    [Id(4)] public bool? Verp { get; init; }

    [Id(5)] public QuotaView? Quota { get; init; }
}

/// <summary>A tenant as it is shown. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.TenantView")]
public sealed record TenantView
{
    [Id(0)] public required string Id { get; init; }

    [Id(1)] public required string Name { get; init; }

    [Id(2)] public DateTimeOffset Created { get; init; }

    [Id(3)] public long Version { get; init; }

    [Id(4)] public bool IsPaused { get; init; }

    [Id(5)] public string Pool { get; init; } = "";

    [Id(6)] public bool Verp { get; init; }

    [Id(7)] public QuotaView Quota { get; init; } = new();

    [Id(8)] public DomainView[] Domains { get; init; } = [];

    [Id(9)] public NamedView[] Credentials { get; init; } = [];

    [Id(10)] public NamedView[] Keys { get; init; } = [];

    [Id(11)] public UsageView Usage { get; init; }
}

/// <summary>What a tenant may do; 0 = no limit of its own. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.QuotaView")]
public sealed record QuotaView
{
    [Id(0)] public double PerSecond { get; init; }

    [Id(1)] public long PerHour { get; init; }

    [Id(2)] public long PerDay { get; init; }

    [Id(3)] public int Connections { get; init; }

    [Id(4)] public int Recipients { get; init; }

    [Id(5)] public long Size { get; init; }
}

/// <summary>Messages of the present hour and day. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.UsageView")]
public readonly record struct UsageView([property: Id(0)] long InHour, [property: Id(1)] long InDay);

/// <summary>A credential or an API key without its secret. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.NamedView")]
public sealed record NamedView
{
    [Id(0)] public required string Id { get; init; }

    [Id(1)] public string Name { get; init; } = "";

    [Id(2)] public DateTimeOffset Created { get; init; }

    /// <summary>API keys.</summary>
    [Id(3)] public KeyScopes Scopes { get; init; }
}

/// <summary>A sending domain and the records that its owner has to publish. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.DomainView")]
public sealed record DomainView
{
    [Id(0)] public required string Name { get; init; }

    /// <summary>pending, verified, warning or failed.</summary>
    [Id(1)] public required string Status { get; init; }

    [Id(2)] public DateTimeOffset Since { get; init; }

    [Id(3)] public DateTimeOffset? Checked { get; init; }

    [Id(4)] public DomainRecord[] Records { get; init; } = [];
}

/// <summary>One record of the DNS to publish. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.DomainRecord")]
public sealed record DomainRecord
{
    /// <summary>ownership, dkim, spf, return-path or dmarc.</summary>
    [Id(0)] public required string Purpose { get; init; }

    [Id(1)] public required string Type { get; init; }

    [Id(2)] public required string Name { get; init; }

    [Id(3)] public required string Value { get; init; }

    /// <summary>Without it the domain is not verified.</summary>
    [Id(4)] public bool IsRequired { get; init; }
}

/// <summary>What a record to publish looked like. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.RecordCheck")]
public sealed record RecordCheck
{
    [Id(0)] public required DomainRecord Expected { get; init; }

    [Id(1)] public string[] Found { get; init; } = [];

    [Id(2)] public RecordState State { get; init; }
}

/// <summary>How a record was found. Numbers cross the wire.</summary>
public enum RecordState : byte
{
    Ok = 0,
    Missing = 1,

    /// <summary>There is one, with another content.</summary>
    Wrong = 2,

    /// <summary>There are several where one may be: receivers would take none (RFC 7208 §4.5, RFC 7489 §6.6.3) or any of them (RFC 6376 §3.6.2.2).</summary>
    Doubled = 3,

    /// <summary>The DNS did not answer: nothing is known of it.</summary>
    Unknown = 4,
}
