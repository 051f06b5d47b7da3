using Angarium.Contracts.Admin;
using Angarium.Contracts.Administrators;
using Angarium.Contracts.DomainQueues;
using Angarium.Contracts.EgressPools;
using Angarium.Contracts.Inbound;
using Angarium.Contracts.Requests;
using Angarium.Contracts.Tenants;
using Angarium.Contracts.Webhooks;
using Angarium.Grains.Sites;
using Angarium.Host.Cluster;
using Orleans;
using Orleans.Runtime;

namespace Angarium.Unit.Host.Cluster;

public sealed class RoleSecretsTests
{
    private static readonly Dictionary<string, string> s_all = new()
    {
        ["ingress"] = "ingress-secret-1f7a", ["egress"] = "egress secret with blanks", ["api"] = "ключ-от-всех-дверей", ["grains"] = "grains-secret-8a9b0c",
    };

    [Fact]
    public void RoleOf_EachRolesOwnProof_IsThatRole()
    {
        var silo = new RoleSecrets(["grains"], s_all);
        foreach (var (role, secret) in s_all)
            Assert.Equal(role, silo.RoleOf(new RoleSecrets([role], new Dictionary<string, string> { [role] = secret }).Proof).ToString(), ignoreCase: true);
    }

    [Fact]
    public void RoleOf_AnythingElse_IsNone()
    {
        var silo = new RoleSecrets(["grains"], s_all);
        foreach (var proof in (object?[])[null, "", " ", "ingress", "ingress ", " ingress-secret-1f7a", "ingress  ingress-secret-1f7a", "ingress ingress-secret-1f7", "ingress ingress-secret-1f7a ",
            "egress ingress-secret-1f7a", "root ingress-secret-1f7a", "INGRESS ingress-secret-1f7a", "ingress " + new string('x', 100_000), 5, new byte[4]])
            Assert.Equal(CallerRoles.None, silo.RoleOf(proof));
        Assert.Equal(CallerRoles.None, new RoleSecrets(["grains"], new Dictionary<string, string> { ["grains"] = s_all["grains"] }).RoleOf("ingress ingress-secret-1f7a"));
    }

    [Theory]
    [InlineData("grains", "grains", "short", "Cluster:Secret:grains: must have 16 to 256 characters;")]
    [InlineData("ingress", "grains", "long-enough-secret", "Cluster:Secret:ingress: must be set;")]
    [InlineData("postman", "postman", "long-enough-secret", "Cluster:Secret:postman: there is no role `postman`;")]
    public void New_OfUnusableSecrets_NamesTheSettingAndShowsNone(string own, string role, string secret, string says)
    {
        var refused = Assert.Throws<ArgumentException>(() => new RoleSecrets([own], new Dictionary<string, string> { [role] = secret }));
        Assert.StartsWith(says, refused.Message);
        Assert.DoesNotContain(secret, refused.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void RoleOf_ASecretAtTheBound_IsThatRole()
    {
        var secrets = new Dictionary<string, string> { ["grains"] = new('я', RoleSecrets.MaxLength) };
        Assert.Equal(CallerRoles.Grains, new RoleSecrets(["grains"], secrets).RoleOf(new RoleSecrets(["grains"], secrets).Proof));
        secrets["grains"] += "x";
        Assert.Single(RoleSecrets.Problems(secrets));
    }

    /// <summary>An interface that is added to Contracts is given its callers here, on purpose.</summary>
    [Fact]
    public void Table_EveryInterfaceOfContracts_IsListed()
    {
        var expected = new Dictionary<Type, CallerRoles>
        {
            [typeof(IDomainQueueIntake)] = CallerRoles.Ingress | CallerRoles.Grains,
            [typeof(IDomainQueueExchange)] = CallerRoles.Egress | CallerRoles.Grains,
            [typeof(IEgressPoolPoll)] = CallerRoles.Egress | CallerRoles.Grains,
            [typeof(IDomainQueueAdmin)] = CallerRoles.Api | CallerRoles.Grains,
            [typeof(IQueueDirectoryGrain)] = CallerRoles.Api | CallerRoles.Grains,
            [typeof(IOperators)] = CallerRoles.Api | CallerRoles.Grains,
            [typeof(IRememberedRequest)] = CallerRoles.Ingress | CallerRoles.Api | CallerRoles.Grains,
            [typeof(ITenantAdmin)] = CallerRoles.Api | CallerRoles.Grains,
            [typeof(ITenantAdmission)] = CallerRoles.Ingress | CallerRoles.Grains,
            [typeof(ITenantDirectory)] = CallerRoles.Api | CallerRoles.Grains,
            [typeof(IAdministrators)] = CallerRoles.Api | CallerRoles.Grains,
            [typeof(IInboundDirectory)] = CallerRoles.Ingress | CallerRoles.Grains,
            [typeof(IInboundDomainAdmin)] = CallerRoles.Api | CallerRoles.Grains,
            [typeof(ITenantInbound)] = CallerRoles.Api | CallerRoles.Grains,
            [typeof(IWebhookWork)] = CallerRoles.Egress | CallerRoles.Grains,
        };
        Assert.Equal(expected.Keys.Select(t => t.Name).Order(), typeof(IDomainQueueIntake).Assembly.GetTypes().Where(t => t.IsInterface && t.IsAssignableTo(typeof(IAddressable))).Select(t => t.Name).Order());
        foreach (var (type, roles) in expected) Assert.Equal(roles, RoleTable.RolesOf(type));
    }

    /// <summary>
    /// How one tenant is kept from what is another's in each method that a process facing tenants may call: a method that is added says it here. `tenant` = its key is the tenant, which ingress and api
    /// take from the credential and never from what was asked; `digest` = its key is made of the credential; `domain` = it takes mail in, of any tenant, and tells nothing; `named` = its key is a thing that
    /// one tenant has: each call says for whom it is, taken as a `tenant` is, and is answered that one alone; `stranger` = for whoever sends mail in, told what RCPT tells; `operator` = no route of a tenant's
    /// leads to it.
    /// </summary>
    [Fact]
    public void Table_EveryMethodForIngressOrApi_SaysHowTenantsAreKeptApart()
    {
        var ways = new Dictionary<string, string>
        {
            [nameof(ITenantAdmission)] = "tenant: CheckKey CheckPassword CheckProof Admit Salt Sign",
            [nameof(ITenantAdmin)] = "tenant: AddCredential AddDomain AddKey AddWebhook Audit Change ChangeWebhook Check Create Delete EnableWebhook Read RemoveCredential RemoveDomain RemoveKey RemoveWebhook RotateKeys "
                + "RotateWebhookSecret TestWebhook VerifyDomain Webhooks",
            [nameof(IRememberedRequest)] = "digest: Begin Complete GiveUp",
            [nameof(IDomainQueueIntake)] = "domain: Offer",
            [nameof(IDomainQueueAdmin)] = "operator: Drop Hold Release Retry Show",
            [nameof(IQueueDirectoryGrain)] = "operator: FindDomains FindMessage ListDomains Shape",
            [nameof(IOperators)] = "operator: Audit Explain Note Resume Suspend Suspensions",
            [nameof(ITenantDirectory)] = "operator: List",
            [nameof(IAdministrators)] = "operator: Add Check List Remove",
            [nameof(IInboundDomainAdmin)] = "named: Add AddRecipients Change Read Recipients Remove RemoveRecipient",
            [nameof(ITenantInbound)] = "tenant: ListInbound",
            [nameof(IInboundDirectory)] = "stranger: Judge",
        };
        foreach (var type in typeof(IDomainQueueIntake).Assembly.GetTypes().Where(t => t.IsInterface && t.IsAssignableTo(typeof(IAddressable)) && (RoleTable.RolesOf(t) & (CallerRoles.Ingress | CallerRoles.Api)) != 0))
        {
            var way = ways.GetValueOrDefault(type.Name, ": ");
            Assert.Equal((type.Name, string.Join(' ', way[(way.IndexOf(' ') + 1)..].Split(' ').Order())), (type.Name, string.Join(' ', type.GetMethods().Select(m => m.Name).Order())));
        }
    }

    [Fact]
    public void Table_WhatIsNotListed_IsForSilosAlone()
    {
        var others = typeof(ISite).Assembly.GetTypes().Concat(typeof(IManagementGrain).Assembly.GetTypes()).Concat(typeof(IClusterClient).Assembly.GetTypes())
            .Where(t => t.IsInterface && t.IsAssignableTo(typeof(IAddressable))).Distinct().ToList();
        Assert.Contains(typeof(ISite), others);
        Assert.Contains(others, t => t.Name == "ISiloControl");
        var open = Assert.Single(others, t => RoleTable.RolesOf(t) != CallerRoles.Grains);
        Assert.Equal("IClusterManifestSystemTarget", open.Name);
        Assert.False(RoleTable.Admits(CallerRoles.None, open));
    }
}
