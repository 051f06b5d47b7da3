using System.Globalization;
using System.Text.RegularExpressions;
using Angarium.Host.Configuration;
using Angarium.TestKit;
using YamlDotNet.Core;
using YamlDotNet.Serialization;

namespace Angarium.Unit.Infra;

/// <summary>infra/compose without an engine: each relay's environment is a configuration that starts, and holds no more than its role needs.</summary>
public sealed class ComposeTests
{
    private static readonly Dictionary<string, object> s_file = Read("compose.yaml");
    private static readonly Dictionary<object, object> s_services = Map(s_file["services"]);

    public static TheoryData<string> Roles() => new(RelayOptions.AllRoles);

    [Theory]
    [MemberData(nameof(Roles))]
    public void Environment_OfARole_IsAConfigurationThatStarts(string role)
    {
        var environment = Environment(role);
        var bound = SettingBinder.Bind(SettingCatalog.All, new SettingSources { Development = false, Environment = environment, Made = new Dictionary<string, string> { ["Hostname"] = "mx.example.org" } }.Read());
        Assert.Empty(bound.Mistakes);
        Assert.Equal([role], bound.Get<RelayOptions>().Roles);
        // Docker ends a container that takes longer.
        Assert.True(Map(s_services[role])["stop_grace_period"] is string patience && double.Parse(patience.TrimEnd('s'), CultureInfo.InvariantCulture) > bound.Get<RelayOptions>().ShutdownTimeout.TotalSeconds);
    }

    [Theory]
    [MemberData(nameof(Roles))]
    public void Service_OfARole_HasNoRightsAndNothingToWriteButItsData(string role)
    {
        var service = Map(s_services[role]);
        Assert.Equal("true", service["read_only"]);
        Assert.Equal(["ALL"], (List<object>)service["cap_drop"]);
        Assert.Equal(["no-new-privileges:true"], (List<object>)service["security_opt"]);
        Assert.False(service.ContainsKey("volumes"));
        Assert.Equal("infra/image/Dockerfile", Map(service["build"])["dockerfile"]);
        Assert.All((List<object>)service.GetValueOrDefault("ports", new List<object>()), port => Assert.StartsWith("127.0.0.1:", (string)port, StringComparison.Ordinal));
    }

    [Fact]
    public void Services_AreTheRolesAndWhatTheyNeed() =>
        Assert.Equal([.. RelayOptions.AllRoles.Concat(["redis", "storage", "prometheus", "grafana"]).Order()], s_services.Keys.Cast<string>().Order());

    [Fact]
    public void Redis_NeverEvicts()
    {
        var command = ((List<object>)Map(s_services["redis"])["command"]).Cast<string>().ToList();
        Assert.Equal("noeviction", command[command.IndexOf("--maxmemory-policy") + 1]);
    }

    [Fact]
    public void Files_ThatAreMounted_Exist()
    {
        var mounted = s_services.Values.SelectMany(service => (List<object>)Map(service).GetValueOrDefault("volumes", new List<object>())).Select(volume => ((string)volume).Split(':')[0]).Where(path => path.StartsWith("./", StringComparison.Ordinal)).ToList();
        Assert.Equal(3, mounted.Count);
        Assert.All(mounted, path => Assert.NotEmpty(Read(path[2..])));
    }

    [Fact]
    public void Prometheus_ScrapesEveryRoleWhereItsMetricsAre()
    {
        var names = Map(((List<object>)Map(((List<object>)Read("prometheus.yaml")["scrape_configs"])[0])["dns_sd_configs"])[0]);
        Assert.Equal(RelayOptions.AllRoles, ((List<object>)names["names"]).Cast<string>());
        Assert.EndsWith(":" + names["port"], new RelayOptions().AdminListen, StringComparison.Ordinal);
    }

    private static Dictionary<string, object> Read(string file) =>
        new DeserializerBuilder().Build().Deserialize<Dictionary<string, object>>(new MergingParser(new Parser(new StringReader(File.ReadAllText(Repository.Path("infra", "compose", file))))));

    private static Dictionary<object, object> Map(object value) => (Dictionary<object, object>)value;

    /// <summary>With what an `.env` file gives: secrets that are as long as they are made.</summary>
    private static Dictionary<string, string> Environment(string role) => Map(Map(s_services[role])["environment"]).ToDictionary(pair => (string)pair.Key, pair =>
        Regex.Replace((string)pair.Value, @"\$\{([A-Z_]+)(?::?-([^}]*)|:\?)\}", variable => variable.Groups[2].Success ? variable.Groups[2].Value : variable.Groups[1].Value.ToLowerInvariant().PadRight(32, '0')));
}
