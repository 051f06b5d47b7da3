using System.Buffers.Binary;
using System.Net;
using Angarium.Chaos.Network;
using Angarium.Chaos.Processes;
using Angarium.Chaos.Scenarios;
using Angarium.Chaos.Traffic;
using Angarium.Integration.Harness;
using Azure;
using Azure.Storage.Blobs;

namespace Angarium.Chaos.Chart;

/// <summary>
/// The production example with fewer pods, and one after the other those that are laid over it (keda.yaml changes none of its pods): Redis and Azurite stand for those that they name, the harness for the load
/// balancer, the proxy and the directory of identities.
/// </summary>
public sealed partial class ChartProduction : ChartRuns
{
    internal override IReadOnlyList<string> Values => [HelmChart.Example("production")];

    internal override bool IsCluster => true;

    internal override Dictionary<string, object> Here(World world) => new()
    {
        ["trustedNetworks"] = world.TrustedNetworks.Split(',').Append(Lan.Harness + "/32").ToArray(),
        ["service"] = new { proxyNetworks = (string[])[Balancer + "/32"] },
        ["grains"] = new { replicas = 2 },
        ["egress"] = new { replicas = 1 },
        ["api"] = new { replicas = 1 },
    };

    private protected override async Task RunMoreAsync(Stage stage)
    {
        await stage.StepAsync("Should_know_clients_behind_the_load_balancer", () => BalanceAsync(stage));
        await stage.StepAsync("Should_keep_what_silos_hold_from_ingress_and_egress", KeepAsync);
        await RunExamplesAsync(stage);
    }

    /// <summary>PROXY protocol, version 2: a client that may relay, one that may not, and one that says of itself that it may.</summary>
    private async Task<string> BalanceAsync(Stage stage)
    {
        var ingress = Pods.Pods.First(p => p.Node.Role == "ingress").Node;
        var trusted = await RecipientAsync(ingress, Balancer, stage.World.Tenants[0].Address);
        var stranger = await RecipientAsync(ingress, Balancer, "203.0.113.9");
        var liar = await RecipientAsync(ingress, ServiceProxy.AddressOf(0), stage.World.Tenants[0].Address);
        Stage.Require(trusted.StartsWith("250", StringComparison.Ordinal) && stranger.StartsWith("55", StringComparison.Ordinal), $"a client that may relay got `{trusted}`, a stranger `{stranger}`");
        Stage.Require(!liar.StartsWith("250", StringComparison.Ordinal), $"a header from elsewhere was believed: `{liar}`");
        return $"by their own addresses: `{trusted}`, `{stranger}`; from elsewhere `{liar}`";
    }

    /// <summary>The reply to RCPT; what came last, if it never came to that.</summary>
    private static async Task<string> RecipientAsync(Node ingress, string from, string client)
    {
        using var connection = await Client.ConnectAsync(ingress.SmtpPort, ingress.Address, from);
        var header = new byte[28];
        "\r\n\r\n\0\r\nQUIT\n"u8.CopyTo(header);
        (header[12], header[13], header[15]) = (0x21, 0x11, 12);
        IPAddress.Parse(client).TryWriteBytes(header.AsSpan(16), out _);
        IPAddress.Parse(ingress.Address).TryWriteBytes(header.AsSpan(20), out _);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(24), 50_000);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(26), 25);
        await connection.SendAsync(header);
        var reply = await connection.ReplyAsync();
        foreach (var command in (string[])["EHLO client.test", "MAIL FROM:<a@back.test>", $"RCPT TO:<x@{Post.Domain(1, 0)}>"])
        {
            if (!reply.StartsWith('2')) return reply;
            reply = await connection.CommandAsync(command);
        }

        return reply;
    }

    /// <summary>What the running processes have: their environment and the files that they see, as the kernel shows them; and what their storage keys open.</summary>
    private async Task<string> KeepAsync()
    {
        string[] secrets = [ChartSecrets.MasterKey, ChartSecrets.Administrator, "AccountKey=", RedisPair.FloatingAddress];
        var (looked, refused) = (0, 0);
        foreach (var (node, _, _) in Pods.Pods)
        {
            var environment = await File.ReadAllTextAsync($"/proc/{node.Id}/environ");
            var files = Directory.GetFiles($"/proc/{node.Id}/root/etc/angarium", "*", SearchOption.AllDirectories);
            var held = environment + string.Concat(await Task.WhenAll(files.Select(f => File.ReadAllTextAsync(f))));
            if (node.Role == "grains")
            {
                // What is looked for is there to be found.
                Stage.Require(held.Contains(ChartSecrets.MasterKey, StringComparison.Ordinal) && held.Contains(RedisPair.FloatingAddress, StringComparison.Ordinal), $"{node.Name} lacks its own secrets");
                continue;
            }

            if (node.Role == "api") continue;
            looked++;
            Stage.Require(!Array.Exists(secrets, s => held.Contains(s, StringComparison.Ordinal)), $"{node.Name} holds a secret of silos");
            foreach (var key in environment.Split('\0').Where(v => v.StartsWith("ANGARIUM_Spool__Containers__", StringComparison.Ordinal)).Select(v => new Uri(v[(v.IndexOf('=', StringComparison.Ordinal) + 1)..])))
            {
                var container = new UriBuilder(key) { Path = $"/{Cluster.Account}/angarium-private" }.Uri;
                try
                {
                    await foreach (var blob in new BlobContainerClient(container).GetBlobsAsync()) throw new StepException($"{node.Name} may list {blob.Name} in the container of keys");
                    throw new StepException($"{node.Name} may list the container of keys");
                }
                catch (RequestFailedException e) when (e.Status == 403)
                {
                    refused++;
                }
            }
        }

        Stage.Require(looked >= 3 && refused >= looked * 2, $"{looked} processes with {refused} storage keys were looked at");
        return $"none of {secrets.Length} secrets in environment and files of {looked} processes; {refused} storage keys do not open the container of keys";
    }
}
