using Angarium.Host.Configuration;

namespace Angarium.Unit.Host;

public sealed class SettingSourcesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("angarium-settings").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Write(string json)
    {
        var file = Path.Combine(_folder, "config.json");
        File.WriteAllText(file, json);
        return file;
    }

    [Fact]
    public void Read_AllSources_TheLaterWins()
    {
        var values = new SettingSources
        {
            Development = true,
            File = Write("""{ "Http": { "Listen": "file" }, "Admin:Listen": "file", "Sink": { "Listen": "file" } }"""),
            Environment = new Dictionary<string, string> { ["ANGARIUM_Admin__Listen"] = "environment", ["ANGARIUM_Sink__Listen"] = "environment", ["OTHER"] = "x" },
            CommandLine = ["Sink:Listen=command"],
        }.Read();
        Assert.Equal("file", values["Http:Listen"]!.Text);
        Assert.Equal("environment", values["Admin:Listen"]!.Text);
        Assert.Equal("command", values["Sink:Listen"]!.Text);
        Assert.Equal("127.0.0.1:2525", values["Ingress:Smtp:Listen"]!.Text);
        Assert.Null(values["OTHER"]);
    }

    [Fact]
    public void FileOf_NoneNamed_IsTheInstalledOneWhereItIs()
    {
        var installed = Write("{}");
        Assert.Equal("named", SettingSources.FileOf(["named", "other"], installed));
        Assert.Equal("other", SettingSources.FileOf([null, "other"], installed));
        Assert.Equal(installed, SettingSources.FileOf([null, ""], installed));
        Assert.Null(SettingSources.FileOf([null, null], installed + ".none"));
        Assert.Null(SettingSources.FileOf([null, null], null));
    }

    [Fact]
    public void Read_Production_HasNoDevelopmentDefaults() => Assert.Null(new SettingSources { Development = false }.Read()["Egress:NextHop"]);

    [Fact]
    public void Read_MovedSink_TakesTheNextHopAlong() =>
        Assert.Equal("127.0.0.1:9", new SettingSources { Development = true, CommandLine = ["Sink:Listen=127.0.0.1:9"] }.Read()["Egress:NextHop"]!.Text);

    [Fact]
    public void Read_Json_FlattensObjectsListsAndDottedKeys()
    {
        var file = Write("""
            {
              // why
              "Egress": { "Routes": { "example.com": "a:25", "*.example.org": "b:26" } },
              "Ingress": { "MaxSize": 1000, "TrustedNetworks": ["10.0.0.0/8", "::1/128"], "Strict": true, "None": null },
            }
            """);
        var values = new SettingSources { Development = false, File = file }.Read();
        Assert.Empty(values.Mistakes);
        Assert.Equal("a:25", values["Egress:Routes:example.com"]!.Text);
        Assert.Equal("b:26", values["Egress:Routes:*.example.org"]!.Text);
        Assert.Equal("1000", values["Ingress:MaxSize"]!.Text);
        Assert.Equal("10.0.0.0/8,::1/128", values["Ingress:TrustedNetworks"]!.Text);
        Assert.Equal("true", values["Ingress:Strict"]!.Text);
        Assert.Null(values["Ingress:None"]);
    }

    [Theory]
    [InlineData("{ \"a\": ", "not valid JSON at line 1")]
    [InlineData("[1]", "must hold one JSON object")]
    [InlineData("{ \"a\": [{}] }", "a list holds texts or numbers only")]
    public void Read_BadFile_IsOneLine(string json, string line) =>
        Assert.Contains(line, Assert.Single(new SettingSources { Development = false, File = Write(json) }.Read().Mistakes), StringComparison.Ordinal);

    [Fact]
    public void Read_MissingFile_IsOneLine() => Assert.Contains(
        "there is no such file",
        Assert.Single(new SettingSources { Development = false, File = Path.Combine(_folder, "none.json") }.Read().Mistakes),
        StringComparison.Ordinal);

    [Fact]
    public void Read_CommandLineWithoutValue_IsOneLine() =>
        Assert.Contains("Name=value", Assert.Single(new SettingSources { Development = false, CommandLine = ["Hostname"] }.Read().Mistakes), StringComparison.Ordinal);
}
