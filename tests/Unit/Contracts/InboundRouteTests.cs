using Angarium.Contracts.Routing;

namespace Angarium.Unit.Contracts;

public sealed class InboundRouteTests
{
    [Theory]
    [InlineData("mail.example.org", "mail.example.org:25")]
    [InlineData("Mail.Example.ORG.:2525", "mail.example.org:2525")]
    [InlineData("bücher.example", "xn--bcher-kva.example:25")]
    [InlineData("mailhost", "mailhost:25")]
    [InlineData("192.0.2.1", "192.0.2.1:25")]
    [InlineData("[192.0.2.1]:26", "192.0.2.1:26")]
    [InlineData("[2001:DB8::1]", "[2001:db8::1]:25")]
    [InlineData("[IPv6:2001:db8::1]:65535", "[2001:db8::1]:65535")]
    public void TryParse_AHost_IsReadAndNamesItsSite(string text, string expected)
    {
        foreach (var isPrivate in new[] { false, true })
        {
            Assert.True(InboundRoute.TryParse(text, isPrivate, out var route));
            Assert.Equal(expected, route.ToString());
            Assert.Equal(route, InboundRoute.OfSite(route.Site));
            Assert.True(route.Site.Length <= SiteRoute.MaxName);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData(":25")]
    [InlineData("mail.example.org:")]
    [InlineData("mail.example.org:0")]
    [InlineData("mail.example.org:65536")]
    [InlineData("mail.example.org:+25")]
    [InlineData("mail.example.org:25:25")]
    [InlineData("smtp://mail.example.org")]
    [InlineData("user@mail.example.org")]
    [InlineData("mail.example.org;tls=none")]
    [InlineData("mail.example.org?login=/etc/passwd")]
    [InlineData("mail example.org")]
    [InlineData("mail.example.org\r\n")]
    [InlineData("2001:db8::1")]
    [InlineData("[2001:db8::1")]
    [InlineData("[2001:db8::1]25")]
    [InlineData("[fe80::1%eth0]")]
    [InlineData("1")]
    [InlineData("0x7f.1")]
    [InlineData("010.0.0.1")]
    [InlineData("256.0.0.1")]
    [InlineData("-mail.example.org")]
    public void TryParse_WhatIsNoHost_IsRefused(string text) => Assert.False(InboundRoute.TryParse(text, false, out _));

    [Theory]
    [InlineData("mx:mail.example.org")]
    [InlineData("route:mail.example.org:25")]
    [InlineData("dns:example.org")]
    [InlineData("inbound:")]
    [InlineData("inbound:a b:25")]
    [InlineData("")]
    public void OfSite_AnotherSite_IsNone(string site) => Assert.Null(InboundRoute.OfSite(site));
}
