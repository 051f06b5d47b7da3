using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Angarium.Contracts.Administrators;
using Angarium.Contracts.EgressPools;
using Angarium.Contracts.Routing;
using Angarium.Contracts.Tenants;
using Angarium.Grains.Webhooks;
using Angarium.Mail.Addresses;
using Angarium.Mail.Dkim;
using Angarium.Mail.Sasl;
using Angarium.Mail.Tenants;
using Angarium.Spool.Documents;

namespace Angarium.Grains.Tenants;

/// <summary>
/// One tenant: its document, read once and changed by compare-and-swap, and what follows from it (who may log in, what is signed, what is shown). On its grain's turns, which interleave at the
/// awaits of its seams: changes take turns of their own. A crash loses nothing that was answered.
/// </summary>
/// <param name="pools">Where silos look up its pool; null = there is `default` and no other.</param>
internal sealed partial class Tenant(string id, IDocumentStore documents, DkimKeys keys, IRecordSource dns, Func<TenantsOptions> options, byte[] decoy, TimeProvider time, WebhookSeams? webhooks = null, TenantPools? pools = null)
{
    private const int MaxName = 200;
    private const int MaxAttempts = 10;
    private const int SaltSize = 16;
    private const int MaxReturns = 1_024;

    /// <summary>A domain whose records never came is given up; one whose records went is so after a day.</summary>
    private static readonly TimeSpan s_pendingFor = TimeSpan.FromDays(14), s_warnsFor = TimeSpan.FromHours(24);

    private Task _changed = Task.CompletedTask;
    private TenantRecord? _record;
    private string? _tag;
    private bool _isLoaded;

    public TenantMeter Meter { get; } = new();

    public string Id => id;

    private TenantRecord? Record => _record is { IsDeleted: false } ? _record : null;

    private DateTimeOffset Now => time.GetUtcNow();

    private static TenantResult NotFound(string field = "") => Problem(ProblemKind.NotFound, field, "There is no such thing, or it is not yours.");

    private static TenantResult Problem(ProblemKind kind, string field, string detail) => new() { Problem = new Problem(kind, field, detail) };

    /// <summary>Reads the document, once; a tenant that is not there is remembered as such by its activation, which is short.</summary>
    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        if (_isLoaded) return;
        var document = TenantName.IsTenant(id) ? await documents.ReadAsync(Name, cancellationToken) : null;
        (_record, _tag) = (document is null ? null : TenantRecord.Parse(document.Content, id), document?.Tag);
        _isLoaded = true;
    }

    /// <summary>What ingress has to know; null = there is no such tenant.</summary>
    public TenantFacts? Facts => Record is not { } record ? null : new TenantFacts
    {
        Id = id,
        Version = record.Changes,
        Revocations = record.Revocations,
        IsPaused = record.IsPaused,
        Domains = [.. record.Domains.Where(MaySend).Select(domain => new SendingDomain
        {
            Name = domain.Name, Keys = [.. domain.Keys.Where(key => key.IsActive).Select(key => new SigningKey(key.Selector, key.Algorithm))],
            ReturnDomain = record.Verp && domain.HasReturnPath && options().ReturnHost.Length > 0 ? DomainRecords.ReturnDomain(domain.Name) : null,
        })],
        MaxRecipients = record.Quota.Recipients,
        MaxSize = record.Quota.Size,
        IsMetered = record.Quota.IsMetered,
    };

    public TenantQuota Quota => Record?.Quota ?? new TenantQuota();

    public TenantResult Read() => Record is { } record ? new TenantResult { Tenant = View(record) } : NotFound();

    public LoginAnswer CheckPassword(PasswordCheck check)
    {
        var keys = KeysOf(check.User, out var isReal);
        // As long for a name that does not exist.
        return keys.Matches(check.Password) && isReal ? new LoginAnswer { Tenant = Facts } : new LoginAnswer();
    }

    public LoginSalt Salt(string user)
    {
        var keys = KeysOf(user, out _);
        return new LoginSalt(keys.Salt, keys.Iterations);
    }

    public LoginAnswer CheckProof(ProofCheck check)
    {
        var signature = KeysOf(check.User, out var isReal).Verify(check.Message, check.Proof);
        return signature is not null && isReal ? new LoginAnswer { Tenant = Facts, Signature = signature } : new LoginAnswer();
    }

    public KnownKey? Check(string key)
    {
        var digest = SHA256.HashData(Encoding.UTF8.GetBytes(key));
        KnownKey? found = null;
        foreach (var known in Record?.Keys ?? [])
            if (CryptographicOperations.FixedTimeEquals(known.Digest, digest)) found = new KnownKey(known.Id, known.Scopes);
        return found;
    }

    /// <summary>What was changed, the newest first; null = there is no such tenant. Of one that was deleted too: an administrator asks.</summary>
    public async Task<AuditEntry[]?> AuditAsync(long? before, int limit, CancellationToken cancellationToken)
    {
        if (_record is not { } record) return null;
        var found = record.Audit.Where(Wanted).ToList();
        if (found.Count < limit)
        {
            foreach (var name in (await documents.ListAsync(Archive, cancellationToken)).Reverse())
            {
                if (await documents.ReadAsync(name, cancellationToken) is { } document && JsonSerializer.Deserialize(document.Content.Span, TenantJson.Default.AuditEntryArray) is { } old) found.AddRange(old.Where(Wanted));
                if (found.Count >= limit) break;
            }
        }

        return [.. found.DistinctBy(entry => entry.Change).OrderByDescending(entry => entry.Change).Take(limit)];

        bool Wanted(AuditEntry entry) => before is null || entry.Change < before;
    }

    /// <summary>Signs on other threads: a key of RSA takes most of a millisecond.</summary>
    public async Task<SignAnswer> SignAsync(SignRequest request, CancellationToken cancellationToken)
    {
        var record = Record;
        var signatures = new byte[]?[request.Items.Length];
        var work = new List<(int Index, PrivateKey Key, byte[] Digest)>();
        for (var i = 0; i < signatures.Length; i++)
        {
            var item = request.Items[i];
            var domain = Array.Find(record?.Domains ?? [], d => d.Name == item.Domain && MaySend(d));
            // Whoever asks gives a digest and nothing else: of another length it is none.
            if (item.Digest.Length != SHA256.HashSizeInBytes || domain?.Keys.FirstOrDefault(k => k.Selector == item.Selector && k.IsActive) is not { } key) continue;
            work.Add((i, await keys.FindAsync(id, item.Domain, key, cancellationToken), item.Digest));
        }

        await Task.Run(() => Parallel.ForEach(work, one => signatures[one.Index] = one.Key.Sign(one.Digest)), cancellationToken);
        return new SignAnswer { Signatures = signatures, Tenant = Array.IndexOf(signatures, null) >= 0 ? Facts : null, Returns = record is null ? [] : Returns(Math.Clamp(request.Returns, 0, MaxReturns)) };
    }

    public async Task<TenantResult> CreateAsync(TenantDraft draft, CancellationToken cancellationToken)
    {
        if (!TenantName.IsTenant(id)) return NotFound();
        if (!IsName(draft.Name)) return BadName("name");
        if (draft.Domain is { } name && !TryDomain(name, out _)) return BadDomain("domain");
        var made = await InTurnAsync(async () =>
        {
            if (_record is not null) return Problem(ProblemKind.Conflict, "id", "This id is taken.");
            var record = new TenantRecord { Id = id, Name = draft.Name, Created = Now };
            record = record with { Audit = [Entry(record.Changes, Actor.Current, nameof(CreateAsync), "")] };
            if (await documents.WriteAsync(Name, record.ToJson(), null, cancellationToken) is not { } tag) throw new IOException($"The document of tenant {id} was made by another.");
            (_record, _tag) = (record, tag);
            return Read();
        });
        return made.Problem is null && draft.Domain is { } first ? await AddDomainAsync(first, cancellationToken) : made;
    }

    public async Task<TenantResult> ChangeAsync(TenantChange change, CancellationToken cancellationToken)
    {
        if (change.Pool is { } pool && Record is not null && await PoolProblemAsync(pool, cancellationToken) is { } problem) return problem;
        var result = await ChangeRecordAsync(change, cancellationToken);
        // Where this fails, the caller asks again, or the clock sets it right.
        if (result.Problem is null && change.Pool is not null && pools is not null) await PutPoolAsync(pools, cancellationToken);
        return result;
    }

    /// <summary>What silos go by is made to say what the record says, should it say something else.</summary>
    public Task AlignPoolAsync(CancellationToken cancellationToken) =>
        pools?.Current is { } map && Record is { } record && map.PoolOf(id) != record.Pool ? PutPoolAsync(pools, cancellationToken) : Task.CompletedTask;

    private Task<TenantResult> PutPoolAsync(TenantPools where, CancellationToken cancellationToken) => InTurnAsync(async () =>
    {
        // Another activation may have changed it since it was read.
        _isLoaded = false;
        await LoadAsync(cancellationToken);
        if (Record is { } record) await where.PutAsync(id, record.Pool, cancellationToken);
        return Read();
    });

    private async Task<TenantResult?> PoolProblemAsync(string pool, CancellationToken cancellationToken)
    {
        if (pool == PoolName.Default) return null;
        if (pools is null || !await pools.ExistsAsync(pool, cancellationToken)) return Problem(ProblemKind.Invalid, "pool", "There is no pool of this name: no egress process has served one.");
        return pools.IsFull && pools.Current!.PoolOf(id) == PoolName.Default ? Problem(ProblemKind.Full, "pool", $"{TenantPools.MaxTenants} tenants are in other pools than `default` already.") : null;
    }

    private Task<TenantResult> ChangeRecordAsync(TenantChange change, CancellationToken cancellationToken) => ChangeAsync(record =>
    {
        if (change.IfVersion is { } version && version != record.Changes) return (null, Stale);
        if (change.Name is { } name && !IsName(name)) return (null, BadName("name"));
        if (change.Verp == true && options().ReturnHost.Length == 0) return (null, Problem(ProblemKind.Unavailable, "verp", "Tenants:ReturnHost is not set on the silos: there is nowhere for bounces to come back to."));
        if (change.Quota is { } quota && Negative(quota) is { } field) return (null, Problem(ProblemKind.Invalid, "quota." + field, "It is a number from 0 (no limit) up."));
        return (record with
        {
            Name = change.Name ?? record.Name,
            IsPaused = change.IsPaused ?? record.IsPaused,
            Pool = change.Pool ?? record.Pool,
            Verp = change.Verp ?? record.Verp,
            Quota = change.Quota is { } q ? new TenantQuota { PerSecond = q.PerSecond, PerHour = q.PerHour, PerDay = q.PerDay, Connections = q.Connections, Recipients = q.Recipients, Size = q.Size } : record.Quota,
        }, null);
    }, cancellationToken, action: nameof(ChangeAsync));

    /// <summary>Nobody can log in or send from now on; what was accepted is delivered. The document stays, so that nobody is given this id again.</summary>
    public async Task<TenantResult> DeleteAsync(long? ifVersion, CancellationToken cancellationToken)
    {
        var selectors = Record?.Domains.SelectMany(d => d.Keys).Select(k => k.Selector).ToArray() ?? [];
        var hooks = Record?.Webhooks ?? [];
        var result = await ChangeAsync(record => ifVersion is { } version && version != record.Changes
            ? (null, Stale)
            : (record with { IsDeleted = true, Revocations = record.Revocations + 1, Domains = [], Credentials = [], Keys = [], Inbound = null, Webhooks = [] }, null), cancellationToken);
        if (result.Problem is not null) return result;
        foreach (var selector in selectors) await keys.DeleteAsync(id, selector, cancellationToken);
        if (hooks.Length > 0) await ForgetWebhooksAsync(hooks, cancellationToken);
        return result;
    }

    public async Task<TenantResult> AddDomainAsync(string name, CancellationToken cancellationToken)
    {
        if (!TryDomain(name, out var domain)) return BadDomain("domain");
        if (Record is not { } before) return NotFound();
        if (before.Domains.Any(d => d.Name == domain)) return Problem(ProblemKind.Conflict, "domain", "It is a domain of this tenant already.");
        if (before.Domains.Length >= TenantRecord.MaxDomains) return Full("domain", TenantRecord.MaxDomains);
        if (!keys.IsAvailable) return NoMaster;
        var made = await NewKeysAsync(domain, cancellationToken);
        return await ChangeAsync(record => record.Domains.Any(d => d.Name == domain) ? (null, Problem(ProblemKind.Conflict, "domain", "It is a domain of this tenant already.")) : (record with
        {
            Domains = [.. record.Domains, new TenantDomain { Name = domain, Token = RandomNumberGenerator.GetHexString(32, lowercase: true), Created = Now, Since = Now, Keys = [.. made.Select(key => key with { IsActive = true })] }],
        }, null), cancellationToken, domain) with { Made = domain };
    }

    public async Task<TenantResult> RotateKeysAsync(string name, CancellationToken cancellationToken)
    {
        if (Find(name) is not { } domain) return NotFound("domain");
        if (!keys.IsAvailable) return NoMaster;
        var made = await NewKeysAsync(domain.Name, cancellationToken);
        // Those that wait from an earlier rotation never signed anything.
        return await ChangeDomainAsync(domain.Name, d => d with { Keys = [.. d.Keys.Where(key => key.IsActive), .. made] }, cancellationToken);
    }

    public Task<TenantResult> RemoveDomainAsync(string name, CancellationToken cancellationToken) => Find(name) is not { } domain
        ? Task.FromResult(NotFound("domain"))
        : ChangeAsync(record => (record with { Domains = [.. record.Domains.Where(d => d.Name != domain.Name)], Revocations = record.Revocations + 1 }, null), cancellationToken, domain.Name);

    /// <summary>Looks the records of a domain up and enters what follows: now, when its owner asks, and by the clock.</summary>
    public async Task<TenantResult> VerifyDomainAsync(string name, CancellationToken cancellationToken)
    {
        if (Find(name) is not { } domain) return NotFound("domain");
        var checks = await Task.WhenAll(Records(domain).Select(async record =>
            DomainRecords.Check(record, record.Purpose == DomainRecords.ReturnPath ? await dns.MailHostsAsync(record.Name, cancellationToken) : await dns.TextAsync(record.Name, cancellationToken))));
        var isTold = false;
        DomainStatus? became = null;
        var result = await ChangeDomainAsync(domain.Name, d =>
        {
            var judged = Judged(d, checks, Now);
            isTold = judged with { Checked = d.Checked } != d;
            became = judged.Status == d.Status ? null : judged.Status;
            return judged;
        }, cancellationToken, () => isTold);
        if (became is { } status && result.Problem is null) TenantInstruments.Became(status);
        return result with { Checks = checks };
    }

    /// <summary>Domains that are due to be looked at again.</summary>
    public IEnumerable<string> Due(DateTimeOffset now) => (Record?.Domains ?? []).Where(d => d.Status != DomainStatus.Failed && now - (d.Checked ?? d.Created) >= Every(d, now)).Select(d => d.Name);

    public async Task<TenantResult> AddCredentialAsync(string name, CancellationToken cancellationToken)
    {
        if (!IsName(name)) return BadName("name");
        var (part, password) = (TenantName.NewPart(), TenantName.NewSecret());
        var scram = ScramKeys.Of(password, RandomNumberGenerator.GetBytes(SaltSize));
        var result = await ChangeAsync(record => record.Credentials.Length >= TenantRecord.MaxCredentials ? (null, Full("name", TenantRecord.MaxCredentials)) : (record with
        {
            Credentials = [.. record.Credentials, new TenantCredential { Id = part, Name = name, Created = Now, Salt = scram.Salt, Iterations = scram.Iterations, StoredKey = scram.StoredKey, ServerKey = scram.ServerKey }],
        }, null), cancellationToken, part);
        return result.Problem is null ? result with { Made = $"{part}@{id}", Secret = password } : result;
    }

    public Task<TenantResult> RemoveCredentialAsync(string user, CancellationToken cancellationToken)
    {
        var part = user.EndsWith("@" + id, StringComparison.Ordinal) ? user[..^(id.Length + 1)] : user;
        return ChangeAsync(record => record.Credentials.All(c => c.Id != part) ? (null, NotFound("id")) : (record with
        {
            Credentials = [.. record.Credentials.Where(c => c.Id != part)], Revocations = record.Revocations + 1,
        }, null), cancellationToken, part);
    }

    public async Task<TenantResult> AddKeyAsync(string name, KeyScopes scopes, CancellationToken cancellationToken)
    {
        if (!IsName(name)) return BadName("name");
        if (scopes == KeyScopes.None || (scopes & ~KeyScopes.All) != 0) return Problem(ProblemKind.Invalid, "scopes", "One or more of send, read and manage.");
        var (part, key) = (TenantName.NewPart(), $"{TenantName.KeyPrefix}{id}_{TenantName.NewSecret()}");
        var result = await ChangeAsync(record => record.Keys.Length >= TenantRecord.MaxKeys ? (null, Full("name", TenantRecord.MaxKeys)) : (record with
        {
            Keys = [.. record.Keys, new TenantKey { Id = part, Name = name, Created = Now, Scopes = scopes, Digest = SHA256.HashData(Encoding.UTF8.GetBytes(key)) }],
        }, null), cancellationToken, part);
        return result.Problem is null ? result with { Made = part, Secret = key } : result;
    }

    public Task<TenantResult> RemoveKeyAsync(string key, CancellationToken cancellationToken) => ChangeAsync(record => record.Keys.All(k => k.Id != key) ? (null, NotFound("id")) : (record with
    {
        Keys = [.. record.Keys.Where(k => k.Id != key)], Revocations = record.Revocations + 1,
    }, null), cancellationToken, key);

    /// <summary>What the look at its records makes of a domain.</summary>
    internal static TenantDomain Judged(TenantDomain domain, IReadOnlyList<RecordCheck> checks, DateTimeOffset now)
    {
        var ownership = checks.First(c => c.Expected.Purpose == "ownership").State;
        bool Seen(DomainKey key) => checks.Any(c => c.Expected.Purpose == "dkim" && c.State == RecordState.Ok && c.Expected.Name.StartsWith(key.Selector + "._domainkey.", StringComparison.Ordinal));
        domain = domain with { Checked = now };
        if (checks.FirstOrDefault(c => c.Expected.Purpose == DomainRecords.ReturnPath) is { State: not RecordState.Unknown } returns) domain = domain with { HasReturnPath = returns.State == RecordState.Ok };
        // New keys sign as soon as all of them are seen; then the old ones are done. Their records should stay for as long as mail is on its way.
        var waiting = domain.Keys.Where(key => !key.IsActive).ToArray();
        if (waiting.Length > 0 && waiting.All(Seen)) domain = domain with { Keys = [.. waiting.Select(key => key with { IsActive = true })] };
        var signing = domain.Keys.Where(key => key.IsActive).ToArray();
        // A DNS that does not answer says nothing, neither good nor bad.
        if (ownership == RecordState.Unknown || checks.Any(c => c.Expected.Purpose == "dkim" && c.State == RecordState.Unknown)) return domain;
        var isGood = ownership == RecordState.Ok && signing.All(Seen);
        var status = (isGood, domain.Status) switch
        {
            (true, _) => DomainStatus.Verified,
            (false, DomainStatus.Verified) => DomainStatus.Warning,
            (false, DomainStatus.Warning) => now - domain.Since < s_warnsFor ? DomainStatus.Warning : DomainStatus.Failed,
            (false, DomainStatus.Pending) => now - domain.Created < s_pendingFor ? DomainStatus.Pending : DomainStatus.Failed,
            _ => DomainStatus.Failed,
        };
        return status == domain.Status ? domain : domain with { Status = status, Since = now };
    }

    private static bool MaySend(TenantDomain domain) => domain.Status is DomainStatus.Verified or DomainStatus.Warning;

    private static TimeSpan Every(TenantDomain domain, DateTimeOffset now) => domain.Status switch
    {
        DomainStatus.Verified => TimeSpan.FromHours(6),
        DomainStatus.Warning => TimeSpan.FromMinutes(30),
        // Who has just been told what to publish does so within the hour.
        _ => now - domain.Created < TimeSpan.FromHours(2) ? TimeSpan.FromMinutes(1) : TimeSpan.FromMinutes(30),
    };

    private static TenantResult Stale => Problem(ProblemKind.Stale, "", "It was changed since it was read.");

    private static TenantResult NoMaster => Problem(ProblemKind.Unavailable, "domain", "Keys:Master is not set on the silos: no key can be stored.");

    private static TenantResult BadName(string field) => Problem(ProblemKind.Invalid, field, $"1 to {MaxName} printable characters.");

    private static TenantResult BadDomain(string field) => Problem(ProblemKind.Invalid, field, "The name of a domain, such as example.org.");

    private static TenantResult Full(string field, int most) => Problem(ProblemKind.Full, field, $"A tenant has {most} of them at most.");

    private static bool IsName(string? name) => name is { Length: > 0 and <= MaxName } && !name.Any(char.IsControl) && name.Trim().Length > 0;

    private static bool TryDomain(string text, out string domain)
    {
        var isDomain = QueueDomain.TryParse(text, out var parsed) && !parsed.IsLiteral && parsed.Value.Contains('.', StringComparison.Ordinal);
        domain = isDomain ? parsed.Value : "";
        return isDomain;
    }

    private static string? Negative(QuotaView quota) =>
        !double.IsFinite(quota.PerSecond) || quota.PerSecond is < 0 or > 1_000_000 ? "perSecond" : quota.PerHour < 0 ? "perHour" : quota.PerDay < 0 ? "perDay"
        : quota.Connections < 0 ? "connections" : quota.Recipients < 0 ? "recipients" : quota.Size < 0 ? "size" : null;

    private TenantDomain? Find(string name) => TryDomain(name, out var domain) ? Array.Find(Record?.Domains ?? [], d => d.Name == domain) : null;

    private async Task<DomainKey[]> NewKeysAsync(string domain, CancellationToken cancellationToken)
    {
        var stem = $"a{Now:yyMMdd}{TenantName.NewPart()[..6]}";
        return
        [
            await keys.CreateAsync(id, domain, stem + "r", DkimAlgorithm.RsaSha256, Now, cancellationToken),
            await keys.CreateAsync(id, domain, stem + "e", DkimAlgorithm.Ed25519Sha256, Now, cancellationToken),
        ];
    }

    private DomainRecord[] Records(TenantDomain domain) => DomainRecords.Of(domain, options().SpfInclude, options().ReturnHost);

    private ReturnKey[] Returns(int count)
    {
        if (count == 0 || keys.ReturnKeyOf(id) is not { } key) return [];
        var made = new ReturnKey[count];
        for (var i = 0; i < count; i++)
        {
            var nonce = BinaryPrimitives.ReadUInt64BigEndian(RandomNumberGenerator.GetBytes(sizeof(ulong)));
            made[i] = new ReturnKey(nonce, ReturnTag.Of(key, nonce, "").Key);
        }

        return made;
    }

    private Task<TenantResult> ChangeDomainAsync(string name, Func<TenantDomain, TenantDomain> change, CancellationToken cancellationToken, Func<bool>? isTold = null, [CallerMemberName] string action = "") => ChangeAsync(
        record => record.Domains.All(d => d.Name != name) ? (null, NotFound("domain")) : (record with { Domains = [.. record.Domains.Select(d => d.Name == name ? change(d) : d)] }, null), cancellationToken, name, isTold, action);

    /// <summary>One change by compare-and-swap: what another activation changed meanwhile is read and changed in turn.</summary>
    /// <param name="change">What it is to be, or why it cannot.</param>
    /// <param name="cancellationToken">Ends the attempts.</param>
    /// <param name="target">What of the tenant is changed, for the audit; empty = the tenant itself.</param>
    /// <param name="isTold">Whether the change is worth a line of the audit; null = it is.</param>
    /// <param name="action">What is done: the caller's name without its end.</param>
    private Task<TenantResult> ChangeAsync(
        Func<TenantRecord, (TenantRecord? After, TenantResult? Problem)> change, CancellationToken cancellationToken, string target = "", Func<bool>? isTold = null, [CallerMemberName] string action = "") => InTurnAsync(async () =>
    {
        var actor = Actor.Current;
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            if (!_isLoaded) await LoadAsync(cancellationToken);
            if (Record is not { } record) return NotFound();
            var (after, problem) = change(record);
            if (after is null) return problem!;
            after = after with { Changes = record.Changes + 1 };
            if (isTold?.Invoke() != false) after = after with { Audit = [.. await ArchiveAsync(after.Audit, cancellationToken), Entry(after.Changes, actor, action, target)] };
            // Until it is answered nobody knows whether it was written: then what is there counts.
            _isLoaded = false;
            if (await documents.WriteAsync(Name, after.ToJson(), _tag, cancellationToken) is not { } tag) continue;
            (_record, _tag, _isLoaded) = (after, tag, true);
            return new TenantResult { Tenant = View(after) };
        }

        throw new IOException($"The document of tenant {id} was changed by others {MaxAttempts} times in a row.");
    });

    private AuditEntry Entry(long change, string actor, string action, string target) =>
        new() { Change = change, Time = Now, Actor = actor, Action = char.ToLowerInvariant(action[0]) + action[1..].Replace("Async", "", StringComparison.Ordinal), Target = target };

    /// <summary>The document holds the latest entries; the older go, a number at a time, into a document that is never changed.</summary>
    private async Task<AuditEntry[]> ArchiveAsync(AuditEntry[] entries, CancellationToken cancellationToken)
    {
        if (entries.Length < TenantRecord.MaxAudit) return entries;
        var old = entries[..(TenantRecord.MaxAudit / 2)];
        // It may be there already: of an attempt that did not come to its end, with the same entries.
        await documents.WriteAsync(string.Create(CultureInfo.InvariantCulture, $"{Archive}{old[0].Change:d12}"), JsonSerializer.SerializeToUtf8Bytes(old, TenantJson.Default.AuditEntryArray), null, cancellationToken);
        return entries[old.Length..];
    }

    private async Task<TenantResult> InTurnAsync(Func<Task<TenantResult>> work)
    {
        var before = _changed;
        var mine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _changed = mine.Task;
        await before;
        try
        {
            return await work();
        }
        finally
        {
            mine.SetResult();
        }
    }

    private string Name => "tenants/" + id;

    private string Archive => $"audit/{id}/";

    /// <summary>What is kept of a user's password; of one that does not exist, something that nothing matches, always the same.</summary>
    private ScramKeys KeysOf(string user, out bool isReal)
    {
        var part = user.EndsWith("@" + id, StringComparison.Ordinal) ? user[..^(id.Length + 1)] : "";
        var known = Array.Find(Record?.Credentials ?? [], c => c.Id == part);
        isReal = known is not null;
        if (known is not null) return new ScramKeys(known.Salt, known.Iterations, known.StoredKey, known.ServerKey);
        var drawn = HMACSHA256.HashData(decoy, Encoding.UTF8.GetBytes(user));
        return new ScramKeys(drawn[..SaltSize], ScramKeys.DefaultIterations, drawn, drawn);
    }

    private TenantView View(TenantRecord record)
    {
        var usage = Meter.Usage;
        return new TenantView
        {
            Id = id, Name = record.Name, Created = record.Created, Version = record.Changes, IsPaused = record.IsPaused, Pool = record.Pool, Verp = record.Verp,
            Quota = new QuotaView
            {
                PerSecond = record.Quota.PerSecond, PerHour = record.Quota.PerHour, PerDay = record.Quota.PerDay, Connections = record.Quota.Connections, Recipients = record.Quota.Recipients, Size = record.Quota.Size,
            },
            Domains = [.. record.Domains.Select(d => new DomainView
            {
                Name = d.Name, Status = d.Status.ToString().ToLowerInvariant(), Since = d.Since, Checked = d.Checked, Records = Records(d),
            })],
            Credentials = [.. record.Credentials.Select(c => new NamedView { Id = $"{c.Id}@{id}", Name = c.Name, Created = c.Created })],
            Keys = [.. record.Keys.Select(k => new NamedView { Id = k.Id, Name = k.Name, Created = k.Created, Scopes = k.Scopes })],
            Usage = new UsageView(usage.InHour, usage.InDay),
        };
    }
}
