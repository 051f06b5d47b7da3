using System.Text.Json;
using System.Text.Json.Serialization;
using Angarium.Contracts.Inbound;
using Angarium.Contracts.Tenants;
using Angarium.Grains.Inbound;
using Angarium.Grains.Membership;
using Angarium.Mail.Tenants;
using Angarium.Spool.Documents;
using Angarium.Spool.Time;
using Orleans.Concurrency;
using Orleans.Placement;

namespace Angarium.Grains.Tenants;

/// <summary>
/// Shell of <see cref="Tenant"/> and its <see cref="TenantMeter"/>. Turns interleave. Nothing but the two documents survives a crash: what was leased is leased for half a second, connections
/// are told again within five, and the counts of hour and day were written down before they were used up.
/// </summary>
[GrainType("tenant"), Reentrant, RandomPlacement]
internal sealed partial class TenantGrain(TenantSeams seams, IStoreClock clock, IStanding standing) : Grain, ITenantAdmission, ITenantAdmin, ITenantInbound, IInboundOwner
{
    /// <summary>Share of the hourly and daily quota that is written down ahead.</summary>
    private const double Ahead = 0.01;

    private Tenant _tenant = null!;
    private IGrainTimer? _looks;
    private string? _usageTag;
    private TenantUsage _written;
    private Task _writing = Task.CompletedTask;

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _tenant = seams.Create(this.GetPrimaryKeyString());
        await _tenant.LoadAsync(cancellationToken);
        if (_tenant.Facts is null) return;
        await LoadUsageAsync(cancellationToken);
        LookAgain();
    }

    /// <summary>Its domains are looked at while it is active; <see cref="TenantsWatch"/> sees to it that it is now and then.</summary>
    private void LookAgain() => _looks ??= this.RegisterGrainTimer(LookAsync, new GrainTimerCreationOptions(TimeSpan.FromSeconds(20), TimeSpan.FromMinutes(1)) { Interleave = true });

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        // What was written ahead and not used is nobody's loss but the tenant's.
        if (_tenant.Meter.Usage != _written) await WriteAsync(_tenant.Meter.Usage, cancellationToken);
    }

    public Task<LoginAnswer> CheckPassword(PasswordCheck check) => Judge(_tenant.CheckPassword(check));

    public Task<LoginSalt> Salt(string user)
    {
        ForgetStrangers();
        return Task.FromResult(_tenant.Salt(user));
    }

    public Task<LoginAnswer> CheckProof(ProofCheck check) => Judge(_tenant.CheckProof(check));

    public Task<LoginAnswer> CheckKey(string key) => Judge(_tenant.Check(key) is { } known && (known.Scopes & KeyScopes.Send) != 0 ? new LoginAnswer { Tenant = _tenant.Facts } : new LoginAnswer());

    public async Task<AdmitAnswer> Admit(AdmitRequest request)
    {
        // Of two activations the one that is cut off must not lease too.
        if (!standing.IsConfirmed || !clock.IsSettled) throw new IOException("This silo's membership row is not confirmed.");
        if (_tenant.Facts is not { } facts)
        {
            ForgetStrangers();
            return new AdmitAnswer { RetryAfter = TenantMeter.Silent };
        }

        var (quota, now) = (_tenant.Quota, clock.Now);
        await WriteAheadAsync(quota, request.Messages);
        var connections = _tenant.Meter.Connections(quota, request.Ingress, request.Connections, now);
        var (granted, retryAfter) = facts.IsPaused ? (0, TenantMeter.Silent) : _tenant.Meter.Lease(quota, request.Messages, clock.Now);
        return new AdmitAnswer
        {
            Tenant = facts.Version != request.Version ? facts : null, Messages = granted, Lasts = TenantMeter.LeaseLasts, RetryAfter = retryAfter, Connections = connections,
        };
    }

    public Task<SignAnswer> Sign(SignRequest request) => _tenant.SignAsync(request, CancellationToken.None);

    public async Task<TenantResult> Create(TenantDraft draft)
    {
        var result = await _tenant.CreateAsync(draft, CancellationToken.None);
        if (_tenant.Facts is not null) LookAgain();
        return result;
    }

    public Task<TenantResult> Read()
    {
        ForgetStrangers();
        return Task.FromResult(_tenant.Read());
    }

    public Task<TenantResult> Change(TenantChange change) => _tenant.ChangeAsync(change, CancellationToken.None);

    public async Task<TenantResult> Delete(long? ifVersion)
    {
        // Before, so that whoever is told that it could not be done does it again.
        if (_tenant.MayDelete(ifVersion)) await ReleaseInboundAsync();
        return await _tenant.DeleteAsync(ifVersion, CancellationToken.None);
    }

    public Task<KnownKey?> Check(string key)
    {
        ForgetStrangers();
        return Task.FromResult(_tenant.Check(key));
    }

    public Task<AuditEntry[]?> Audit(long? before, int limit)
    {
        ForgetStrangers();
        return _tenant.AuditAsync(before, Math.Clamp(limit, 1, 1_000), CancellationToken.None);
    }

    public Task<TenantResult> AddDomain(string name) => _tenant.AddDomainAsync(name, CancellationToken.None);

    public Task<TenantResult> VerifyDomain(string name) => _tenant.VerifyDomainAsync(name, CancellationToken.None);

    public Task<TenantResult> RemoveDomain(string name) => _tenant.RemoveDomainAsync(name, CancellationToken.None);

    public Task<TenantResult> RotateKeys(string name) => _tenant.RotateKeysAsync(name, CancellationToken.None);

    public Task<TenantResult> AddCredential(string name) => _tenant.AddCredentialAsync(name, CancellationToken.None);

    public Task<TenantResult> RemoveCredential(string id) => _tenant.RemoveCredentialAsync(id, CancellationToken.None);

    public Task<TenantResult> AddKey(string name, KeyScopes scopes) => _tenant.AddKeyAsync(name, scopes, CancellationToken.None);

    public Task<TenantResult> RemoveKey(string id) => _tenant.RemoveKeyAsync(id, CancellationToken.None);

    private Task<LoginAnswer> Judge(LoginAnswer answer)
    {
        ForgetStrangers();
        return Task.FromResult(answer);
    }

    /// <summary>Anybody can ask for a tenant that does not exist: its activation does not stay.</summary>
    private void ForgetStrangers()
    {
        if (_tenant.Facts is null) DeactivateOnIdle();
    }

    private async Task LookAsync(CancellationToken cancellationToken)
    {
        foreach (var domain in _tenant.Due(DateTimeOffset.UtcNow).ToArray()) await _tenant.VerifyDomainAsync(domain, cancellationToken);
        await _tenant.AlignPoolAsync(cancellationToken);
    }

    private async Task LoadUsageAsync(CancellationToken cancellationToken)
    {
        var document = await seams.Documents.ReadAsync(UsageName, cancellationToken);
        _usageTag = document?.Tag;
        _written = document is null ? default : JsonSerializer.Deserialize(document.Content.Span, UsageJson.Default.TenantUsage);
        _tenant.Meter.Restore(_written);
    }

    /// <summary>What is about to be leased is written down before: a crash never makes a quota larger.</summary>
    private async Task WriteAheadAsync(TenantQuota quota, int wanted)
    {
        while (wanted > 0 && (quota.PerHour > 0 || quota.PerDay > 0))
        {
            var usage = _tenant.Meter.Usage.At(clock.Now);
            var written = _written.At(clock.Now);
            if (usage.InHour + wanted <= written.InHour && usage.InDay + wanted <= written.InDay) return;
            if (_writing.IsCompleted)
            {
                var more = wanted + (long)(Ahead * Math.Max(quota.PerHour, quota.PerDay));
                _writing = WriteAsync(usage with { InHour = usage.InHour + more, InDay = usage.InDay + more }, CancellationToken.None);
            }

            await _writing;
        }
    }

    private async Task WriteAsync(TenantUsage usage, CancellationToken cancellationToken)
    {
        if (await seams.Documents.WriteAsync(UsageName, JsonSerializer.SerializeToUtf8Bytes(usage, UsageJson.Default.TenantUsage), _usageTag, cancellationToken) is not { } tag)
        {
            // Another activation counts: this one ends.
            DeactivateOnIdle();
            throw new IOException($"The usage of tenant {_tenant.Id} is counted by another activation.");
        }

        (_usageTag, _written) = (tag, usage);
    }

    private string UsageName => "usage/" + _tenant.Id;
}

/// <summary>What an activation of a tenant is made of.</summary>
internal sealed record TenantSeams(IDocumentStore Documents, Func<string, Tenant> Create);

/// <summary>Which tenants there are, from the names of their documents. No state.</summary>
[GrainType("tenant-directory"), StatelessWorker]
internal sealed class TenantDirectoryGrain(IDocumentStore documents) : Grain, ITenantDirectory
{
    private const string Prefix = "tenants/";
    private const int Most = 1_000;

    public async Task<string[]> List(string? after, int limit) =>
    [
        .. (await documents.ListAsync(Prefix, CancellationToken.None)).Select(name => name[Prefix.Length..]).Where(name => TenantName.IsTenant(name))
            .SkipWhile(name => after is not null && string.CompareOrdinal(name, after) <= 0).Take(Math.Clamp(limit, 1, Most)),
    ];
}

/// <summary>Generated reader and writer of the document. Stateless.</summary>
[JsonSerializable(typeof(TenantUsage))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
internal sealed partial class UsageJson : JsonSerializerContext;
