using Angarium.Contracts.Doctor;
using Angarium.Egress;
using Angarium.Egress.Doctor;
using Angarium.TestKit.Peers;
using Angarium.TestKit.Servers;

namespace Angarium.Unit.Egress.Doctor;

/// <summary>The doctor looks at the way that mail takes.</summary>
public sealed class EgressDoctorTests
{
    /// <summary>Not from the machine's own address, which is no source then.</summary>
    [Fact]
    public async Task Examine_MailGoesThroughAProxy_ConnectsThroughItAndJudgesNoOwnAddress()
    {
        using var peer = new LivePeer();
        using var proxy = new SocksServer();
        var greeting = GreetAsync();
        // Nobody answers there, at once.
        var options = new EgressOptions { Hostname = "relay.test", Proxy = proxy.Address, DnsServers = ["127.0.0.1:1"], DnsTimeout = TimeSpan.FromMilliseconds(200) };
        var findings = new List<Finding>();
        await foreach (var finding in EgressDoctor.ExamineAsync(options, peer.EndPoint.ToString(), TestContext.Current.CancellationToken)) findings.Add(finding);
        await greeting;
        Assert.Equal(peer.EndPoint, Assert.Single(proxy.Asked));
        Assert.Equal(["DNS", $"name of {proxy.Address}", $"port {peer.EndPoint.Port} from {proxy.Address}"], findings.Select(finding => finding.Check));
        Assert.Equal([FindingState.Failed, FindingState.Warning, FindingState.Ok], findings.Select(finding => finding.State));

        async Task GreetAsync()
        {
            using var connection = await peer.AcceptAsync();
            await connection.SayAsync("220 peer.test");
            await connection.HearAsync("QUIT");
        }
    }
}
