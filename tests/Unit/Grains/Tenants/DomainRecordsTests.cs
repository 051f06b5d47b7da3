using Angarium.Contracts.Tenants;
using Angarium.Grains.Tenants;
using Angarium.Mail.Dkim;

namespace Angarium.Unit.Grains.Tenants;

/// <summary>What a tenant has to publish, and what is made of what it did publish.</summary>
public sealed class DomainRecordsTests
{
    private static readonly DateTimeOffset s_now = new(2026, 11, 27, 12, 0, 0, TimeSpan.Zero);

    private static readonly TenantDomain s_domain = new()
    {
        Name = "example.org", Token = "abc", Created = s_now, Since = s_now,
        Keys = [new DomainKey { Selector = "r1", Algorithm = DkimAlgorithm.RsaSha256, Public = "MIIB", IsActive = true }, new DomainKey { Selector = "e1", Algorithm = DkimAlgorithm.Ed25519Sha256, Public = "AAAA", IsActive = true }],
    };

    [Fact]
    public void Of_ADomain_IsReadyToPaste() => Assert.Equal(
        [
            "ownership TXT _angarium.example.org angarium-domain=abc", "dkim TXT r1._domainkey.example.org v=DKIM1; k=rsa; p=MIIB", "dkim TXT e1._domainkey.example.org v=DKIM1; k=ed25519; p=AAAA",
            "spf TXT example.org v=spf1 include:spf.relay.example ~all", "return-path CNAME bounce.example.org bounces.relay.example", "dmarc TXT _dmarc.example.org v=DMARC1; p=none",
        ],
        DomainRecords.Of(s_domain, "spf.relay.example", "Bounces.relay.example").Select(r => $"{r.Purpose} {r.Type} {r.Name} {r.Value}"));

    [Theory]
    [InlineData("ownership", RecordState.Ok, "angarium-domain=abc")]
    [InlineData("ownership", RecordState.Missing)]
    [InlineData("ownership", RecordState.Wrong, "angarium-domain=abd")]
    [InlineData("ownership", RecordState.Doubled, "angarium-domain=abc", "angarium-domain=abc")]
    [InlineData("dkim", RecordState.Ok, "v=DKIM1; k=rsa; p=MIIB")]
    [InlineData("dkim", RecordState.Ok, "p=MI IB")]
    [InlineData("dkim", RecordState.Ok, "v=DKIM1;t=s;p=MIIB;n=note")]
    [InlineData("dkim", RecordState.Wrong, "v=DKIM1; k=rsa; p=")]
    [InlineData("dkim", RecordState.Wrong, "v=DKIM1; k=ed25519; p=MIIB")]
    [InlineData("dkim", RecordState.Wrong, "v=DKIM2; p=MIIB")]
    [InlineData("dkim", RecordState.Doubled, "v=DKIM1; k=rsa; p=MIIB", "something")]
    [InlineData("spf", RecordState.Ok, "v=spf1 mx include:SPF.relay.example -all", "google-site-verification=x")]
    [InlineData("spf", RecordState.Missing, "google-site-verification=x")]
    [InlineData("spf", RecordState.Wrong, "v=spf1 mx -all")]
    [InlineData("spf", RecordState.Wrong, "v=spf1 include:spf.relay.example.evil -all")]
    [InlineData("spf", RecordState.Doubled, "v=spf1 include:spf.relay.example -all", "v=spf1 mx -all")]
    [InlineData("return-path", RecordState.Ok, "bounces.relay.example")]
    [InlineData("return-path", RecordState.Missing)]
    [InlineData("return-path", RecordState.Wrong, "bounces.other.example")]
    [InlineData("return-path", RecordState.Doubled, "bounces.relay.example", "bounces.other.example")]
    [InlineData("dmarc", RecordState.Ok, "v=DMARC1; p=Reject; rua=mailto:x@example.org")]
    [InlineData("dmarc", RecordState.Wrong, "v=DMARC1; rua=mailto:x@example.org")]
    [InlineData("dmarc", RecordState.Missing, "spam")]
    public void Check_WhatWasFound_IsSaid(string purpose, RecordState state, params string[] found)
    {
        var record = DomainRecords.Of(s_domain, "spf.relay.example", "bounces.relay.example").First(r => r.Purpose == purpose);
        Assert.Equal(state, DomainRecords.Check(record, found).State);
        Assert.Equal(RecordState.Unknown, DomainRecords.Check(record, null).State);
    }

    [Fact]
    public void Check_SomebodyElsesText_IsShownHarmlessAndShort()
    {
        var check = DomainRecords.Check(DomainRecords.Of(s_domain, "", "")[0], [new string('\u0007', 5_000)]);
        Assert.Equal(1_001, Assert.Single(check.Found).Length);
        Assert.DoesNotContain('\u0007', check.Found[0]);
    }

    /// <summary>Each step: hours after creation, what the DNS says of the ownership record, and what follows.</summary>
    [Fact]
    public void Judged_OverTime_VerifiesWarnsAndGivesUp()
    {
        var domain = s_domain;
        After(1, RecordState.Missing, DomainStatus.Pending);
        After(2, RecordState.Unknown, DomainStatus.Pending);
        After(3, RecordState.Ok, DomainStatus.Verified);
        After(9, RecordState.Unknown, DomainStatus.Verified);
        After(10, RecordState.Missing, DomainStatus.Warning);
        After(20, RecordState.Ok, DomainStatus.Verified);
        After(30, RecordState.Wrong, DomainStatus.Warning);
        After(53, RecordState.Missing, DomainStatus.Warning);
        After(55, RecordState.Missing, DomainStatus.Failed);
        After(56, RecordState.Ok, DomainStatus.Verified);
        domain = s_domain;
        After(14 * 24 - 1, RecordState.Missing, DomainStatus.Pending);
        After(14 * 24 + 1, RecordState.Missing, DomainStatus.Failed);

        void After(int hours, RecordState ownership, DomainStatus expected)
        {
            var checks = DomainRecords.Of(domain, "", "").Select(r => new RecordCheck { Expected = r, State = r.Purpose == "ownership" ? ownership : r.IsRequired ? RecordState.Ok : RecordState.Missing }).ToArray();
            domain = Tenant.Judged(domain, checks, s_now.AddHours(hours));
            Assert.Equal((hours, expected), (hours, domain.Status));
        }
    }

    [Fact]
    public void Judged_NewKeys_SignWhenAllOfThemAreSeen()
    {
        var domain = s_domain with { Status = DomainStatus.Verified, Keys = [.. s_domain.Keys, new DomainKey { Selector = "r2", Public = "N" }, new DomainKey { Selector = "e2", Algorithm = DkimAlgorithm.Ed25519Sha256, Public = "M" }] };
        domain = Tenant.Judged(domain, Seen("r1", "e1", "r2"), s_now);
        Assert.Equal(["r1", "e1"], domain.Keys.Where(k => k.IsActive).Select(k => k.Selector));
        Assert.Equal(DomainStatus.Verified, domain.Status);
        domain = Tenant.Judged(domain, Seen("r2", "e2"), s_now);
        Assert.Equal(["r2", "e2"], domain.Keys.Select(k => k.Selector));
        Assert.All(domain.Keys, k => Assert.True(k.IsActive));
        Assert.Equal(DomainStatus.Verified, domain.Status);

        RecordCheck[] Seen(params string[] selectors) => [.. DomainRecords.Of(domain, "", "").Select(r => new RecordCheck
        {
            Expected = r, State = r.Purpose != "dkim" || selectors.Any(s => r.Name.StartsWith(s + ".", StringComparison.Ordinal)) ? RecordState.Ok : RecordState.Missing,
        })];
    }
}
