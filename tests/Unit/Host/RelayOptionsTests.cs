using Angarium.Host.Configuration;

namespace Angarium.Unit.Host;

public sealed class RelayOptionsTests
{
    private static readonly RelayOptions s_right = new() { Hostname = "mx.example.org" };

    [Fact]
    public void Validate_Defaults_AreRight() => Assert.Empty(s_right.Validate());

    [Fact]
    public void Validate_UnknownRole_NamesTheRoles() =>
        Assert.Contains("ingress, grains, egress, api", Assert.Single((s_right with { Roles = ["grains", "sales"] }).Validate()), StringComparison.Ordinal);

    [Theory]
    [InlineData("8080")]
    [InlineData("localhost:8080")]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    [InlineData("[::]:99999")]
    public void Validate_BadListen_NamesTheSetting(string text) =>
        Assert.StartsWith("Http:Listen:", Assert.Single((s_right with { HttpListen = text }).Validate()), StringComparison.Ordinal);

    [Theory]
    [InlineData("[::]:25", 25)]
    [InlineData("127.0.0.1:0", 0)]
    public void TryParseEndPoint_Right_Parses(string text, int port)
    {
        Assert.True(RelayOptions.TryParseEndPoint(text, out var endPoint));
        Assert.Equal(port, endPoint.Port);
    }
}
