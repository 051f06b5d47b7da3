using System.Text.Json;
using System.Text.Json.Serialization;
using Angarium.Contracts.EgressPools;
using Angarium.Contracts.Tenants;
using Angarium.Mail.Dkim;

namespace Angarium.Grains.Tenants;

/// <summary>
/// What is true of a tenant, as stored in `tenants/&lt;id&gt;`: the only truth there is, changed by compare-and-swap. Immutable. Holds no secret that could be used: passwords as what SCRAM keeps
/// of them, API keys as their digests, private keys elsewhere and encrypted.
/// </summary>
internal sealed record TenantRecord
{
    /// <summary>The version of the document that this build reads and writes.</summary>
    public const int Format = 1;

    public const int MaxDomains = 1_000, MaxCredentials = 100, MaxKeys = 100, MaxWebhooks = 10, MaxAudit = 200, MaxInbound = 1_000;

    public int Version { get; init; } = Format;

    public required string Id { get; init; }

    public required string Name { get; init; }

    public DateTimeOffset Created { get; init; }

    /// <summary>Rises with every change.</summary>
    public long Changes { get; init; } = 1;

    /// <summary>Rises when a credential or key was taken away.</summary>
    public long Revocations { get; init; }

    public bool IsPaused { get; init; }

    /// <summary>Deleted: kept so that its id is never given again and its events can still be read by an administrator.</summary>
    public bool IsDeleted { get; init; }

    public string Pool { get; init; } = PoolName.Default;

    public bool Verp { get; init; }

    public TenantQuota Quota { get; init; } = new();

    public TenantDomain[] Domains { get; init; } = [];

    public TenantCredential[] Credentials { get; init; } = [];

    public TenantKey[] Keys { get; init; } = [];

    public TenantWebhook[] Webhooks { get; init; } = [];

    /// <summary>The latest changes, in their order; what was before lies in documents of its own.</summary>
    public AuditEntry[] Audit { get; init; } = [];

    /// <summary>Names of its inbound domains, in ordinal order; null = none.</summary>
    public string[]? Inbound { get; init; }

    public static TenantRecord Parse(ReadOnlyMemory<byte> content, string id)
    {
        try
        {
            using var json = JsonDocument.Parse(content);
            // The version first: what it says of the rest is clearer than the first member that this build does not know.
            if (json.RootElement is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("version", out var version) && version.GetRawText() != $"{Format}")
                throw new InvalidDataException($"The document of tenant {id} is of version {version.GetRawText()}; this version of angarium reads {Format}.");
            return json.Deserialize(TenantJson.Default.TenantRecord) ?? throw new InvalidDataException($"The document of tenant {id} is empty.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"The document of tenant {id} cannot be read: {e.Message}", e);
        }
    }

    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, TenantJson.Default.TenantRecord);
}

/// <summary>What a tenant may do; 0 = no limit of its own. Immutable.</summary>
internal sealed record TenantQuota
{
    /// <summary>Messages a second, smoothly.</summary>
    public double PerSecond { get; init; }

    public long PerHour { get; init; }

    public long PerDay { get; init; }

    public int Connections { get; init; }

    /// <summary>Of one message.</summary>
    public int Recipients { get; init; }

    /// <summary>Of one message, in octets.</summary>
    public long Size { get; init; }

    /// <summary>Something is counted: ingress has to lease it.</summary>
    [JsonIgnore]
    public bool IsMetered => PerSecond > 0 || PerHour > 0 || PerDay > 0 || Connections > 0;
}

/// <summary>Where a sending domain stands.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<DomainStatus>))]
internal enum DomainStatus
{
    /// <summary>Its records have not been seen yet; given up after 14 days.</summary>
    Pending,

    /// <summary>Its tenant may send as it.</summary>
    Verified,

    /// <summary>Verified, but a record is missing since less than 24 hours.</summary>
    Warning,

    /// <summary>It was not verified in time, or is no longer.</summary>
    Failed,
}

/// <summary>A domain that a tenant sends as. Immutable.</summary>
internal sealed record TenantDomain
{
    /// <summary>A-label, lower case.</summary>
    public required string Name { get; init; }

    /// <summary>What the ownership record holds: another tenant's would be another's proof.</summary>
    public required string Token { get; init; }

    public DateTimeOffset Created { get; init; }

    public DomainStatus Status { get; init; }

    /// <summary>Since when it has that status.</summary>
    public DateTimeOffset Since { get; init; }

    public DateTimeOffset? Checked { get; init; }

    /// <summary>Its return path was seen to lead to us.</summary>
    public bool HasReturnPath { get; init; }

    public DomainKey[] Keys { get; init; } = [];
}

/// <summary>A DKIM key's public side. Immutable.</summary>
internal sealed record DomainKey
{
    public required string Selector { get; init; }

    [JsonConverter(typeof(JsonStringEnumConverter<DkimAlgorithm>))]
    public DkimAlgorithm Algorithm { get; init; }

    /// <summary>What stands in `p=`.</summary>
    public required string Public { get; init; }

    public DateTimeOffset Created { get; init; }

    /// <summary>It signs: its record was seen. A new key waits for that, the one before it signs until then.</summary>
    public bool IsActive { get; init; }
}

/// <summary>Name and password of SMTP submission: what SCRAM keeps of it (RFC 5802 §3). Immutable.</summary>
internal sealed record TenantCredential
{
    /// <summary>The part of the user before `@tenant`.</summary>
    public required string Id { get; init; }

    public string Name { get; init; } = "";

    public DateTimeOffset Created { get; init; }

    public required byte[] Salt { get; init; }

    public int Iterations { get; init; }

    public required byte[] StoredKey { get; init; }

    public required byte[] ServerKey { get; init; }
}

/// <summary>An API key: SHA-256 of it, which is enough for 190 random bits. Immutable.</summary>
internal sealed record TenantKey
{
    public required string Id { get; init; }

    public string Name { get; init; } = "";

    public DateTimeOffset Created { get; init; }

    [JsonConverter(typeof(JsonStringEnumConverter<KeyScopes>))]
    public KeyScopes Scopes { get; init; }

    public required byte[] Digest { get; init; }
}

/// <summary>Where a tenant's events are posted to. Immutable.</summary>
internal sealed record TenantWebhook
{
    public required string Id { get; init; }

    public required string Url { get; init; }

    /// <summary>Types of events; none = all.</summary>
    public string[] Events { get; init; } = [];

    /// <summary>What is recorded from then on is posted.</summary>
    public DateTimeOffset Created { get; init; }

    /// <summary>When it was made, enabled or given another address: failures before that count no more.</summary>
    public DateTimeOffset Renewed { get; init; }

    /// <summary>What its posts are signed with, sealed.</summary>
    public required byte[] Secret { get; init; }

    /// <summary>The secret before, sealed: signs too until <see cref="OldSecretUntil"/>.</summary>
    public byte[]? OldSecret { get; init; }

    public DateTimeOffset? OldSecretUntil { get; init; }

    /// <summary>Null = it is posted to.</summary>
    public DateTimeOffset? DisabledSince { get; init; }

    public string? DisabledReason { get; init; }
}

/// <summary>Generated reader and writer of the document. An unknown member is refused: rewriting the document would lose it. Stateless.</summary>
[JsonSerializable(typeof(TenantRecord))]
[JsonSerializable(typeof(AuditEntry[]))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
internal sealed partial class TenantJson : JsonSerializerContext;
