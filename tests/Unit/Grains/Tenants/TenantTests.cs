using System.Security.Cryptography;
using System.Text;
using Angarium.Contracts.Administrators;
using Angarium.Contracts.Routing;
using Angarium.Contracts.Tenants;
using Angarium.Grains;
using Angarium.Grains.Tenants;
using Angarium.Mail.Dkim;
using Angarium.Mail.Tenants;
using Angarium.Unit.Grains.Control;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Grains.Tenants;

/// <summary>One tenant over documents in memory and a DNS that says what it is told: from the first call to a signature, and what nobody else gets.</summary>
public sealed class TenantTests : IRecordSource, IDisposable
{
    private readonly MemoryDocuments _documents = new();
    private readonly MasterKey _master = new(new byte[32]);
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 27, 12, 0, 0, TimeSpan.Zero));
    private readonly Dictionary<string, string[]> _zone = [];
    private readonly string _id = TenantName.NewTenant();

    public Task<IReadOnlyList<string>?> TextAsync(string name, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<string>?>(_zone.GetValueOrDefault(name, []));

    public Task<IReadOnlyList<string>?> MailHostsAsync(string name, CancellationToken cancellationToken) => TextAsync(name, cancellationToken);

    public void Dispose() => _master.Dispose();

    [Fact]
    public async Task Create_WithADomain_SendsOnceItsRecordsAreThere()
    {
        var tenant = await OpenAsync();
        var created = Done(await tenant.CreateAsync(new TenantDraft { Name = "Acme", Domain = "Example.ORG" }, default));
        Assert.Equal("example.org", created.Made);
        Assert.Empty(tenant.Facts!.Domains);
        var pending = Done(await tenant.VerifyDomainAsync("example.org", default));
        Assert.Equal("pending", Assert.Single(pending.Tenant!.Domains).Status);
        Assert.All(pending.Checks!, check => Assert.Equal(RecordState.Missing, check.State));

        foreach (var record in created.Tenant!.Domains[0].Records) _zone[record.Name] = [record.Value];
        var verified = Done(await tenant.VerifyDomainAsync("example.org", default));
        Assert.Equal("verified", verified.Tenant!.Domains[0].Status);
        Assert.Equal(2, Assert.Single(tenant.Facts!.Domains).Keys.Length);
        Assert.Empty(tenant.Due(_time.GetUtcNow()));
        Assert.Equal(["example.org"], tenant.Due(_time.GetUtcNow() + TimeSpan.FromHours(7)));

        // What a second activation reads is the same.
        var again = await OpenAsync();
        Assert.Equal(tenant.Facts.Version, again.Facts!.Version);
        Assert.Equal("example.org", Assert.Single(again.Facts.Domains).Name);
    }

    [Fact]
    public async Task Sign_VerifiedDomain_IsWhatTheRecordsSay()
    {
        var tenant = await VerifiedAsync();
        var digest = SHA256.HashData("x"u8);
        var keys = tenant.Facts!.Domains[0].Keys;
        var signed = await tenant.SignAsync(new SignRequest { Items = [.. keys.Select(k => new SignItem("example.org", k.Selector, digest))] }, default);
        Assert.Null(signed.Tenant);
        for (var i = 0; i < keys.Length; i++)
        {
            var octets = Convert.FromBase64String(_zone[$"{keys[i].Selector}._domainkey.example.org"][0].Split("p=")[1]);
            if (keys[i].Algorithm == DkimAlgorithm.RsaSha256)
            {
                using var rsa = RSA.Create();
                rsa.ImportSubjectPublicKeyInfo(octets, out _);
                Assert.Equal(2_048, rsa.KeySize);
                Assert.True(rsa.VerifyHash(digest, signed.Signatures[i]!, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
                continue;
            }

            var verifier = new Org.BouncyCastle.Crypto.Signers.Ed25519Signer();
            verifier.Init(false, new Org.BouncyCastle.Crypto.Parameters.Ed25519PublicKeyParameters(octets));
            verifier.BlockUpdate(digest, 0, digest.Length);
            Assert.True(verifier.VerifySignature(signed.Signatures[i]!));
        }
    }

    [Fact]
    public async Task Sign_WhatIsNotToBeSigned_IsNot()
    {
        var tenant = await VerifiedAsync();
        var selector = tenant.Facts!.Domains[0].Keys[0].Selector;
        var signed = await tenant.SignAsync(new SignRequest
        {
            Items = [new SignItem("example.net", selector, new byte[32]), new SignItem("example.org", "other", new byte[32]), new SignItem("example.org", selector, new byte[31]), new SignItem("example.org", selector, new byte[32])],
        }, default);
        Assert.Equal([true, true, true, false], signed.Signatures.Select(s => s is null));
        Assert.NotNull(signed.Tenant);
        // A document that was put in another's place opens nothing.
        var name = $"keys/{_id}/{tenant.Facts.Domains[0].Keys[1].Selector}";
        var stolen = (await _documents.ReadAsync($"keys/{_id}/{selector}", default))!;
        await _documents.WriteAsync(name, stolen.Content, (await _documents.ReadAsync(name, default))!.Tag, default);
        var fresh = await OpenAsync();
        await Assert.ThrowsAsync<InvalidDataException>(() => fresh.SignAsync(new SignRequest { Items = [new SignItem("example.org", fresh.Facts!.Domains[0].Keys[1].Selector, new byte[32])] }, default));
    }

    [Fact]
    public async Task Documents_HoldNoSecret()
    {
        var tenant = await VerifiedAsync();
        var credential = Done(await tenant.AddCredentialAsync("app", default));
        var key = Done(await tenant.AddKeyAsync("app", KeyScopes.All, default));
        foreach (var name in await _documents.ListAsync("", default))
        {
            var text = Encoding.UTF8.GetString((await _documents.ReadAsync(name, default))!.Content.Span);
            Assert.DoesNotContain(credential.Secret!, text);
            Assert.DoesNotContain(key.Secret!, text);
            Assert.DoesNotContain("PRIVATE", text);
        }
    }

    [Fact]
    public async Task Login_TheCredential_AndNothingElse()
    {
        var tenant = await VerifiedAsync();
        var made = Done(await tenant.AddCredentialAsync("app", default));
        var (user, password) = (made.Made!, made.Secret!);
        Assert.Equal(_id, TenantName.OfUser(user));
        Assert.Equal(_id, tenant.CheckPassword(new PasswordCheck { User = user, Password = password }).Tenant?.Id);
        Assert.Null(tenant.CheckPassword(new PasswordCheck { User = user, Password = password + "x" }).Tenant);
        Assert.Null(tenant.CheckPassword(new PasswordCheck { User = "x" + user, Password = password }).Tenant);
        Assert.Null(tenant.CheckPassword(new PasswordCheck { User = user[..user.IndexOf('@')], Password = password }).Tenant);
        // A name that does not exist looks like one, each time the same.
        Assert.Equal(tenant.Salt("nobody@" + _id).Salt, tenant.Salt("nobody@" + _id).Salt);
        Assert.NotEqual(tenant.Salt("nobody@" + _id).Salt, tenant.Salt("nobodi@" + _id).Salt);
        Assert.Equal(tenant.Salt(user).Iterations, tenant.Salt("nobody@" + _id).Iterations);

        var before = tenant.Facts!.Revocations;
        Done(await tenant.RemoveCredentialAsync(user, default));
        Assert.True(tenant.Facts.Revocations > before);
        Assert.Null(tenant.CheckPassword(new PasswordCheck { User = user, Password = password }).Tenant);
    }

    [Fact]
    public async Task Keys_SayWhatTheyMayDo_UntilTheyAreRemoved()
    {
        var tenant = await VerifiedAsync();
        var made = Done(await tenant.AddKeyAsync("reader", KeyScopes.Read, default));
        Assert.Equal(_id, TenantName.OfKey(made.Secret!));
        Assert.Equal(KeyScopes.Read, tenant.Check(made.Secret!)?.Scopes);
        Assert.Null(tenant.Check(made.Secret![..^1] + "?"));
        Done(await tenant.RemoveKeyAsync(made.Made!, default));
        Assert.Null(tenant.Check(made.Secret!));
        Assert.Equal(ProblemKind.NotFound, (await tenant.RemoveKeyAsync(made.Made!, default)).Problem?.Kind);
    }

    [Fact]
    public async Task Change_OfWhatWasChangedSince_IsRefused()
    {
        var tenant = await VerifiedAsync();
        var version = tenant.Read().Tenant!.Version;
        Done(await tenant.ChangeAsync(new TenantChange { IfVersion = version, IsPaused = true }, default));
        Assert.True(tenant.Facts!.IsPaused);
        Assert.Equal(ProblemKind.Stale, (await tenant.ChangeAsync(new TenantChange { IfVersion = version, IsPaused = false }, default)).Problem?.Kind);
        Assert.Equal("quota.perSecond", (await tenant.ChangeAsync(new TenantChange { Quota = new QuotaView { PerSecond = double.NaN } }, default)).Problem?.Field);
        Assert.Equal("pool", (await tenant.ChangeAsync(new TenantChange { Pool = "none" }, default)).Problem?.Field);
        Assert.Equal("name", (await tenant.ChangeAsync(new TenantChange { Name = "a\nb" }, default)).Problem?.Field);
    }

    [Fact]
    public async Task Change_TwoActivations_BothCount()
    {
        var one = await VerifiedAsync();
        var other = await OpenAsync();
        Done(await one.ChangeAsync(new TenantChange { Name = "One" }, default));
        Done(await other.ChangeAsync(new TenantChange { IsPaused = true }, default));
        var tenant = await OpenAsync();
        Assert.Equal(("One", true), (tenant.Read().Tenant!.Name, tenant.Facts!.IsPaused));
    }

    [Fact]
    public async Task Sign_WithReturnPaths_MakesOnesOfTheTenantsOwn_WhereTheyLeadBackToUs()
    {
        var tenant = await VerifiedAsync();
        Assert.Null(tenant.Facts!.Domains[0].ReturnDomain);
        Done(await tenant.ChangeAsync(new TenantChange { Verp = true }, default));
        Assert.Equal("bounce.example.org", tenant.Facts!.Domains[0].ReturnDomain);
        var made = (await tenant.SignAsync(new SignRequest { Items = [], Returns = 2 }, default)).Returns;
        Assert.Equal(2, made.Select(key => key.Nonce).Distinct().Count());
        var own = _master.Derive("return " + _id);
        Assert.All(made, key => Assert.Equal(ReturnTag.Of(own, key.Nonce, "").Key, key.Key));

        // The record goes: they would lead nowhere.
        _zone.Remove("bounce.example.org");
        Done(await tenant.VerifyDomainAsync("example.org", default));
        Assert.Null(tenant.Facts!.Domains[0].ReturnDomain);
        Assert.Equal("verified", tenant.Read().Tenant!.Domains[0].Status);
    }

    [Fact]
    public async Task Audit_TellsWhatWasDoneByWhom_HoweverMuchItIs()
    {
        Actor.Set("key abc");
        var tenant = await VerifiedAsync();
        // Its status changed: that is told, a look that finds the same is not.
        Done(await tenant.VerifyDomainAsync("example.org", default));
        Assert.Equal(
            ["verifyDomain example.org key abc", "addDomain example.org key abc", "create  key abc"], (await tenant.AuditAsync(null, 10, default))!.Select(e => $"{e.Action} {e.Target} {e.Actor}"));
        for (var i = 0; i < TenantRecord.MaxAudit * 2; i++) Done(await tenant.ChangeAsync(new TenantChange { Name = $"name {i}" }, default));
        var all = new List<AuditEntry>();
        var again = await OpenAsync();
        for (long? before = null; (await again.AuditAsync(before, 70, default))! is { Length: > 0 } page; before = page[^1].Change) all.AddRange(page);
        Assert.Equal(TenantRecord.MaxAudit * 2 + 3, all.Count);
        Assert.Equal(all.Select(e => e.Change).OrderDescending(), all.Select(e => e.Change));
        Assert.Equal(["change", "create"], [all[0].Action, all[^1].Action]);
        Assert.InRange((await _documents.ReadAsync("tenants/" + _id, default))!.Content.Length, 1, 64 << 10);
    }

    [Fact]
    public async Task Delete_LeavesNothingToUse_AndTheIdIsNeverGivenAgain()
    {
        var tenant = await VerifiedAsync();
        var made = Done(await tenant.AddCredentialAsync("app", default));
        Done(await tenant.DeleteAsync(null, default));
        Assert.Null(tenant.Facts);
        Assert.Null(tenant.CheckPassword(new PasswordCheck { User = made.Made!, Password = made.Secret! }).Tenant);
        Assert.Empty(await _documents.ListAsync("keys/", default));
        Assert.Equal(ProblemKind.NotFound, tenant.Read().Problem?.Kind);
        Assert.Equal(ProblemKind.Conflict, (await (await OpenAsync()).CreateAsync(new TenantDraft { Name = "Other" }, default)).Problem?.Kind);
    }

    private async Task<Tenant> OpenAsync()
    {
        var tenant = new Tenant(_id, _documents, new DkimKeys(_documents, () => _master), this, () => new TenantsOptions { SpfInclude = "spf.relay.example", ReturnHost = "bounces.relay.example" }, new byte[32], _time);
        await tenant.LoadAsync(default);
        return tenant;
    }

    private async Task<Tenant> VerifiedAsync()
    {
        var tenant = await OpenAsync();
        var created = Done(await tenant.CreateAsync(new TenantDraft { Name = "Acme", Domain = "example.org" }, default));
        foreach (var record in created.Tenant!.Domains[0].Records) _zone[record.Name] = [record.Value];
        Done(await tenant.VerifyDomainAsync("example.org", default));
        return tenant;
    }

    private static TenantResult Done(TenantResult result)
    {
        Assert.Null(result.Problem);
        return result;
    }
}
