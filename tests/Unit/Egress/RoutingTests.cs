using System.Net;
using Angarium.Contracts.Configuration;
using Angarium.Contracts.Routing;
using Angarium.Egress;
using Angarium.Egress.Routing;
using CsCheck;

namespace Angarium.Unit.Egress;

public class RoutingTests
{
    [Theory]
    [InlineData("10.0.0.0/8")]
    [InlineData("127.0.0.0/8")]
    [InlineData("169.254.0.0/16")]
    [InlineData("100.64.0.0/10")]
    [InlineData("192.168.0.0/16")]
    [InlineData("172.16.0.0/12")]
    [InlineData("0.0.0.0/8")]
    [InlineData("224.0.0.0/3")]
    [InlineData("::/8")]
    [InlineData("fc00::/7")]
    [InlineData("fe80::/10")]
    [InlineData("ff00::/8")]
    [InlineData("::ffff:0:0/96")]
    [InlineData("2002::/16")]
    public void IsPublic_AnyAddressOfARefusedNetwork_False(string text)
    {
        var network = IPNetwork.Parse(text);
        var prefix = network.BaseAddress.GetAddressBytes();
        Gen.Byte.Array[prefix.Length].Sample(octets =>
        {
            for (var bit = 0; bit < network.PrefixLength; bit++)
            {
                var mask = (byte)(0x80 >> (bit % 8));
                octets[bit / 8] = (byte)((octets[bit / 8] & ~mask) | (prefix[bit / 8] & mask));
            }

            return !AddressPolicy.IsPublic(new IPAddress(octets));
        });
    }

    [Theory]
    [InlineData("mail.example.org:2525", "route:mail.example.org:2525", 20)]
    [InlineData("smtp://Mail.Example.org", "route:mail.example.org:25", 20)]
    [InlineData("smtps://h?login=/f&connections=3", "route:h:465;smtps;login=/f", 3)]
    [InlineData("[2001:db8::1]:26;connections=7", "route:[2001:db8::1]:26", 7)]
    public void TryParse_NextHop_NamesItsSite(string text, string site, int connections)
    {
        Assert.True(NextHop.TryParse(text, out var hop, out var error), error);
        Assert.Equal((site, connections), (hop.Site, hop.Connections));
    }

    [Theory]
    [InlineData("")]
    [InlineData("http://x")]
    [InlineData("host:0")]
    [InlineData("host:99999")]
    [InlineData("user:pw@host")]
    [InlineData("host?login=/f&tls=may")]
    [InlineData("smtps://h?tls=none")]
    [InlineData("h?what=1")]
    public void TryParse_Mistake_SaysSo(string text)
    {
        Assert.False(NextHop.TryParse(text, out _, out var error));
        Assert.NotEmpty(error);
    }

    [Theory]
    [InlineData("null.test", 556, "5.1.10")]
    [InlineData("absent.test", 550, "5.1.2")]
    [InlineData("trouble.test", 451, "4.4.3")]
    [InlineData("empty.test", 550, "5.4.4")]
    [InlineData("self.test", 554, "5.4.6")]
    public async Task ResolveAsync_NoWay_SaysWhy(string domain, int code, string status)
    {
        var route = await Resolver().ResolveAsync(domain, TestContext.Current.CancellationToken);

        Assert.Equal((code, status), (route.Trouble!.Code, route.Trouble.Status.ToString()));
        Assert.Equal("dns:" + domain, route.Site);
    }

    [Fact]
    public async Task ResolveAsync_Mx_ByPreferenceAndBeforeOurselves()
    {
        var route = await Resolver().ResolveAsync("good.test", TestContext.Current.CancellationToken);

        Assert.Equal(["a.test", "b.test"], route.Hosts.Select(host => host.Name));
        Assert.Equal("mx:a.test,b.test", route.Site);
    }

    [Fact]
    public async Task AddressesAsync_OnlyPublicOnes_UnlessARouteSaysSo()
    {
        var resolver = Resolver();
        var route = await resolver.ResolveAsync("good.test", TestContext.Current.CancellationToken);

        Assert.Equal(["9.9.9.9"], (await resolver.AddressesAsync(route, route.Hosts[0], TestContext.Current.CancellationToken)).Addresses.Select(a => a.ToString()));
        Assert.Equal("5.4.4", (await resolver.AddressesAsync(route, route.Hosts[1], TestContext.Current.CancellationToken)).Trouble!.Status.ToString());
        var named = await resolver.ResolveAsync("routed.test", TestContext.Current.CancellationToken);
        Assert.Equal("127.0.0.1", Assert.Single((await resolver.AddressesAsync(named, named.Hosts[0], TestContext.Current.CancellationToken)).Addresses).ToString());
    }

    [Theory]
    [InlineData("named.test", "inbound:named.host.test:2525")]
    [InlineData("by-mx.named.test", "mx:a.test,b.test")]
    // An operator's route for the very domain comes first, one for all last.
    [InlineData("routed.test", "route:127.0.0.1:2600")]
    [InlineData("good.test", "mx:a.test,b.test")]
    public async Task ResolveSiteAsync_OfAnInboundDomain_IsWhatItsTenantSaid(string domain, string site)
    {
        var (inbound, cancel) = (new FakeInbound(), TestContext.Current.CancellationToken);
        var found = await Resolver(inbound).ResolveSiteAsync(domain, cancel);
        Assert.Equal(site, found.Site);
        Assert.Equal(domain != "good.test", Resolver(inbound).MayBeNamed(domain));
        if (domain != "good.test") Assert.True(found.ValidFor <= TimeSpan.FromSeconds(15));
        Assert.Equal(domain is "named.test" or "by-mx.named.test", inbound.Asked.Contains(domain));
        var ahead = Resolver(inbound, "10.9.9.9:25");
        Assert.Equal(domain switch { "named.test" or "routed.test" => site, _ => "route:10.9.9.9:25" }, (await ahead.ResolveSiteAsync(domain, cancel)).Site);
    }

    [Fact]
    public async Task ResolveAsync_OfASessionsSite_IsTheHostThatATenantNamed()
    {
        var (resolver, cancel) = (Resolver(), TestContext.Current.CancellationToken);
        // Whatever egress itself finds of the domain.
        var route = await resolver.ResolveAsync("good.test", "inbound:a.test:2525", cancel);
        Assert.Equal(("inbound:a.test:2525", "a.test", 2525, false), (route.Site, Assert.Single(route.Hosts).Name, route.Hosts[0].Port, route.ToSite().IsRoute));
        Assert.Equal("mx:a.test,b.test", (await resolver.ResolveAsync("good.test", "mx:b.test", cancel)).Site);

        // Public addresses only; and nothing that is wrong with the host is the messages' fault.
        Assert.Equal(["9.9.9.9"], (await resolver.AddressesAsync(route, route.Hosts[0], cancel)).Addresses.Select(a => a.ToString()));
        foreach (var host in new[] { "b.test", "absent.test", "localhost", "127.0.0.1", "[::1]", "10.0.0.1" })
        {
            var named = await resolver.ResolveAsync("good.test", $"inbound:{host}:25", cancel);
            var trouble = (await resolver.AddressesAsync(named, Assert.Single(named.Hosts), cancel)).Trouble;
            Assert.True(trouble is { IsTransient: true, Status.Class: 4 }, $"{host}: {trouble}");
        }

        Assert.Equal("4.4.6", (await resolver.ResolveAsync("good.test", "inbound:us.test:25", cancel)).Trouble?.Status.ToString());
        // What an administrator named may be anywhere.
        var inside = await resolver.ResolveAsync("good.test", "inbound-private:b.test:25", cancel);
        Assert.Equal("127.0.0.1", Assert.Single((await resolver.AddressesAsync(inside, Assert.Single(inside.Hosts), cancel)).Addresses).ToString());
    }

    [Theory]
    [InlineData("a.test", false, null)]
    [InlineData("9.9.9.9", false, null)]
    [InlineData("us.test:2525", false, "It is this relay itself.")]
    [InlineData("us.test", true, "It is this relay itself.")]
    [InlineData("localhost", false, "It is not the full name of a host.")]
    [InlineData("localhost", true, null)]
    [InlineData("10.0.0.1", false, "It is not a public address.")]
    [InlineData("[::ffff:10.0.0.1]", false, "It is not a public address.")]
    [InlineData("169.254.169.254:80", false, "It is not a public address.")]
    [InlineData("10.0.0.1", true, null)]
    public async Task RefuseAsync_AHostThatMayNotBe_SaysWhy(string text, bool isPrivate, string? why)
    {
        Assert.True(InboundRoute.TryParse(text, isPrivate, out var route));
        Assert.Equal(why, await Resolver().RefuseAsync("good.test", route, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task RefuseAsync_ByMx_OnlyWhereThatLeadsSomewhere()
    {
        Assert.Null(await Resolver().RefuseAsync("good.test", null, TestContext.Current.CancellationToken));
        Assert.Contains("loops back to this host", await Resolver().RefuseAsync("self.test", null, TestContext.Current.CancellationToken));
    }

    private sealed class FakeInbound : IInboundRoutes
    {
        public List<string> Asked { get; } = [];

        public bool MayName(string domain) => domain != "good.test";

        public ValueTask<InboundRoute?> FindAsync(string domain, CancellationToken cancellationToken)
        {
            Asked.Add(domain);
            return new(domain == "named.test" ? new InboundRoute("named.host.test", null, 2525, false) : null);
        }
    }

    private static RouteResolver Resolver(IInboundRoutes? inbound = null, string? next = null) => new(
        new FixedSettings<EgressOptions>(new EgressOptions { Hostname = "us.test", NextHop = next, Routes = new Dictionary<string, string> { ["routed.test"] = "127.0.0.1:2600" } }),
        new FakeDns(), TimeProvider.System, () => new HashSet<IPAddress>(), inbound);

    private sealed class FakeDns : IDnsSource
    {
        public Task<DnsAnswer> QueryAsync(string name, DnsKind kind, CancellationToken cancellationToken) => Task.FromResult((name, kind) switch
        {
            ("null.test", DnsKind.Mx) => new DnsAnswer { Mx = [(0, "")] },
            ("absent.test", _) => new DnsAnswer { Status = DnsStatus.NoSuchName },
            ("trouble.test", _) => DnsAnswer.Trouble("SERVFAIL"),
            ("self.test", DnsKind.Mx) => new DnsAnswer { Mx = [(10, "us.test"), (20, "b.test")] },
            ("good.test" or "by-mx.named.test", DnsKind.Mx) => new DnsAnswer { Mx = [(20, "b.test"), (10, "a.test"), (30, "us.test"), (40, "c.test"), (5, null)] },
            ("a.test", DnsKind.A) => new DnsAnswer { Addresses = [IPAddress.Parse("10.0.0.1"), IPAddress.Parse("9.9.9.9")] },
            ("b.test", DnsKind.A) => new DnsAnswer { Addresses = [IPAddress.Parse("127.0.0.1")] },
            _ => new DnsAnswer(),
        });

        public Task<IReadOnlyList<IPAddress>> SystemAddressesAsync(string name, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<IPAddress>>([]);
    }
}
