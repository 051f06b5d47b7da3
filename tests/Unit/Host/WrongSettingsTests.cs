using Angarium.Host.Configuration;

namespace Angarium.Unit.Host;

/// <summary>What people get wrong: each mistake is one line that begins with the setting and says what to write instead.</summary>
public sealed class WrongSettingsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("angarium-settings-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("Ingress:MaxSize", "0", "it must be between 65536 and 2000000000")]
    [InlineData("Ingress:MaxSize", "99999999999999999999", "is not a number that fits")]
    [InlineData("Ingress:MaxConections", "5", "did you mean `Ingress:MaxConnections`?")]
    [InlineData("Foo:Bar", "5", "there is no such setting")]
    [InlineData("Retry:Schedule", "5", "such as `5m,10m,1h`")]
    [InlineData("Retry:Schedule", "-5m", "such as `5m,10m,1h`")]
    [InlineData("Retry:Schedule", "1ms", "each from 100ms to 7d")]
    [InlineData("Retry:Jitter", "2", "it must be between 0 and 0.9")]
    [InlineData("Retry:Jitter", "NaN", "such as `0.2`")]
    [InlineData("Retry:Expire", "0s", "it must be at least 1s")]
    [InlineData("Ledger:Retention", "1m", "it must be at least 1h")]
    [InlineData("Roles", "ingress", "must contain `grains`")]
    [InlineData("Roles", "ingress,postman,grains", "`postman`")]
    [InlineData("Hostname", "bad host", "such as `mx.example.org`")]
    [InlineData("Hostname", "-x-.y", "such as `mx.example.org`")]
    [InlineData("Redis", "localhost:6379", "must be empty while Cluster:Id is")]
    [InlineData("Spool:Azure", "UseDevelopmentStorage=true", "must be empty while Cluster:Id is")]
    [InlineData("Spool:Containers:spool", "https://x/y?sig=z", "must be empty while Cluster:Id is")]
    [InlineData("Cluster:Tls:Certificate", "{folder}/none", "set all three or none")]
    [InlineData("Cluster:Advertise", "relay-1", "such as 10.1.2.3")]
    [InlineData("Cluster:Secret:postman", "0123456789abcdef", "the roles are ingress, grains, egress, api")]
    [InlineData("Cluster:Secret:egress", "short", "openssl rand -hex 16")]
    [InlineData("Cluster:Secret:egress", "{300}", "must have 16 to 256 characters")]
    [InlineData("Spool:Spacing", "-1s", "such as `30s`")]
    [InlineData("Ingress:Smtp:Listen", "25", "write it as 0.0.0.0:25 or [::]:25")]
    [InlineData("Ingress:Smtp:Listen", "0.0.0.0:99999", "write it as 0.0.0.0:25 or [::]:25")]
    [InlineData("Ingress:Smtp:Listen", "127.0.0.1:3025,127.0.0.1:3025", "give each a port of its own")]
    [InlineData("Ingress:Smtp:Listen", "[::]:3025,0.0.0.0:3025", "give each a port of its own")]
    [InlineData("Admin:Listen", "127.0.0.1:8080", "is taken by Http:Listen")]
    [InlineData("Ingress:Smtps:Listen", "127.0.0.1:3465", "set Tls:Certificate and Tls:Key")]
    [InlineData("Ingress:TrustedNetworks", "10.0.0.0/99", "write it as 10.1.0.0/16")]
    [InlineData("Ingress:TrustedNetworks", "10.0.0.1/8", "10.0.0.0/8 or 10.0.0.1/32?")]
    [InlineData("Ingress:TrustedNetworks", "2001:db8::1/32", "2001:db8::/32 or 2001:db8::1/128?")]
    [InlineData("Ingress:TrustedNetworks", "10.0.0.0/8=", "has no valid tenant")]
    [InlineData("Ingress:TrustedNetworks", "fred", "write it as 10.1.0.0/16")]
    [InlineData("Ingress:ProxyNetworks", "10.0.0.0/8=acme", "write it as 10.1.0.0/16")]
    [InlineData("Ingress:ProxyNetworks", "10.0.0.1/8", "10.0.0.0/8 or 10.0.0.1/32?")]
    [InlineData("Ingress:Domains:exa_mple..org", "*", "write it as example.org")]
    [InlineData("Ingress:Domains:example.org", "{folder}/strangers", "line 2 of")]
    [InlineData("Ingress:Domains:example.org", "{folder}/none", "name a readable file")]
    [InlineData("Ingress:Domains:example.org", "", "name a readable file")]
    [InlineData("Tls:Certificate", "{folder}/none", "set both or neither")]
    [InlineData("Egress:NextHop", "host:0", "write host:port")]
    [InlineData("Egress:NextHop", "ftp://x", "use smtp:// or smtps://")]
    [InlineData("Egress:NextHop", "user@host:25", "write ?login=FILE")]
    [InlineData("Egress:NextHop", "smtp://host:25?tls=maybe", "tls=none|may|required")]
    [InlineData("Egress:NextHop", "smtp://host?login={folder}/none", "user name and password on two lines")]
    [InlineData("Egress:NextHop", "smtp://host?ca={folder}/strangers", "certificates as PEM")]
    [InlineData("Egress:NextHop", "smtp://host?login={folder}/strangers&tls=may", "need tls=required")]
    [InlineData("Egress:Routes:b@d", "host:25", "not a domain")]
    [InlineData("Egress:Source", "10.1.2.3.4", "is not an IP address")]
    [InlineData("Egress:Pools:Bulk", "192.0.2.1=mx.example.org", "up to 32 lower-case letters")]
    [InlineData("Egress:Pools:bulk", "", "write one to 256")]
    [InlineData("Egress:Pools:bulk", "192.0.2.1", "write it as 192.0.2.1=mx1.example.org")]
    [InlineData("Egress:Pools:bulk", "192.0.2=mx.example.org", "is not an address to send from")]
    [InlineData("Egress:Pools:bulk", "::=mx.example.org", "is not an address to send from")]
    [InlineData("Egress:Pools:bulk", "192.0.2.1=mx..example.org", "is not a host name to greet with")]
    [InlineData("Egress:Pools:bulk", "192.0.2.1=192.0.2.1", "is not a host name to greet with")]
    [InlineData("Egress:Pools:bulk", "192.0.2.1=a.example 192.0.2.1=b.example", "is there twice")]
    [InlineData("Egress:Pools:bulk", "socks5://proxy:1080", "write it as socks5://proxy:1080=mx1.example.org")]
    [InlineData("Egress:Pools:bulk", "socks5://proxy:0=mx.example.org", "has no host and port")]
    [InlineData("Egress:Pools:bulk", "socks5://proxy=a.example socks5://proxy:1080=b.example", "is there twice")]
    [InlineData("Egress:Proxy", "http://proxy:1080", "write it as socks5://proxy.example.org:1080")]
    [InlineData("Egress:Proxy", "socks5://me:x@proxy:1080", "name it in Egress:ProxyPassword")]
    [InlineData("Egress:ProxyPassword", "{folder}/none", "user name and password on two lines")]
    [InlineData("Egress:Serves", "bulk", "set it, or leave `bulk` out")]
    [InlineData("Egress:AllowedNetworks", "10.0.0.1/8", "write it as 10.0.0.0/8")]
    [InlineData("Dns:Servers", "8.8.8.8:70000", "as 127.0.0.1:53")]
    [InlineData("Log:Level", "chatty", "`warning`")]
    [InlineData("Log:Recipients", "some", "`full`, `domain`, `none`")]
    [InlineData("Sink:Listen", "nowhere", "such as `127.0.0.1:8080`")]
    [InlineData("Shutdown:Timeout", "1s", "set it to at least")]
    [InlineData("Queue:Window", "1", "it must be between 16 and 100000")]
    public void Bind_AWrongSetting_IsOneLineThatNamesItAndTheFix(string setting, string value, string fix)
    {
        File.WriteAllText(Path.Combine(_folder, "strangers"), "# ours\nsomebody@elsewhere.test\n");
        var values = new SettingValues();
        foreach (var (name, text) in new[] { ("Hostname", "mx.example.org"), ("Http:Listen", "127.0.0.1:8080"), (setting, value.Replace("{folder}", _folder, StringComparison.Ordinal).Replace("{300}", new('s', 300), StringComparison.Ordinal)) }) values.Set(name, text, "test");
        var line = Assert.Single(SettingBinder.Bind(SettingCatalog.All, values).Mistakes);
        Assert.StartsWith(setting, line, StringComparison.Ordinal);
        Assert.Contains(fix, line, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', line);
    }

    [Theory]
    [InlineData("Cluster:Id", "Mail One", "up to 32 lower-case letters")]
    [InlineData("Cluster:GatewayPort", "11111", "give each a port of its own")]
    [InlineData("Redis", "", "must name the server")]
    [InlineData("Cluster:Secret:api", "", "must be set in this process")]
    [InlineData("Cluster:Secret:egress", "ingress-ingress-ingress", "give each role a secret of its own")]
    [InlineData("Spool:Azure", "", "Spool:Containers:cluster: must be set while Spool:Azure is empty")]
    public void Bind_AWrongSettingOfASilo_IsALineThatNamesItAndTheFix(string setting, string value, string fix) => AssertLine(Silo, setting, value, fix);

    [Theory]
    [InlineData("Redis", "redis:6379", "only silos may touch it")]
    [InlineData("Cluster:Secret:egress", "egress-egress-egress", "take it out")]
    [InlineData("Cluster:Secret:ingress", "", "must be set in this process")]
    [InlineData("Spool:Containers:spool", "", "the URI of the container `angarium-spool` with its SAS")]
    public void Bind_AWrongSettingOfAnIngress_IsALineThatNamesItAndTheFix(string setting, string value, string fix) => AssertLine(Ingress, setting, value, fix);

    [Fact]
    public void Bind_ARightClusterSettingOfEachRole_IsTaken()
    {
        Assert.Empty(Mistakes(Silo));
        Assert.Empty(Mistakes(Ingress));
    }

    private static Dictionary<string, string> Silo => new()
    {
        ["Hostname"] = "mx.example.org", ["Roles"] = "grains", ["Cluster:Id"] = "mail-1", ["Redis"] = "redis:6379", ["Spool:Azure"] = "UseDevelopmentStorage=true",
        ["Cluster:Secret:ingress"] = "ingress-ingress-ingress", ["Cluster:Secret:grains"] = "grains-grains-grains", ["Cluster:Secret:egress"] = "egress-egress-egress", ["Cluster:Secret:api"] = "api-api-api-api-api",
    };

    private static Dictionary<string, string> Ingress => new()
    {
        ["Hostname"] = "mx.example.org", ["Roles"] = "ingress", ["Cluster:Id"] = "mail-1", ["Cluster:Secret:ingress"] = "ingress-ingress-ingress",
        ["Spool:Containers:spool"] = "https://account.example/angarium-spool?sig=x", ["Spool:Containers:cluster"] = "https://account.example/angarium-cluster?sig=y",
    };

    private static void AssertLine(Dictionary<string, string> right, string setting, string value, string fix)
    {
        var mistakes = Mistakes(new(right) { [setting] = value });
        Assert.Contains(mistakes, line => line.Contains(fix, StringComparison.Ordinal));
        Assert.DoesNotContain(mistakes, line => line.Contains('\n', StringComparison.Ordinal) || line.Contains("sig=", StringComparison.Ordinal));
    }

    private static IReadOnlyList<string> Mistakes(Dictionary<string, string> settings)
    {
        var values = new SettingValues();
        foreach (var (name, text) in settings.Where(s => s.Value.Length > 0)) values.Set(name, text, "test");
        return SettingBinder.Bind(SettingCatalog.All, values).Mistakes;
    }
}
