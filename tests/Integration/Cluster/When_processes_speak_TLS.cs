using System.Globalization;
using Angarium.Contracts.Admin;
using Angarium.Host.Cluster.Tls;
using Angarium.Integration.Harness;
using Angarium.Spool.Azure;
using Angarium.TestKit.Servers;
using Angarium.TestKit.Tls;
using Microsoft.Extensions.DependencyInjection;

namespace Angarium.Integration.Cluster;

/// <summary>Mutual TLS between processes: silos and clients in this process whose certificates change under them, then the real executables over redis-server and the emulator of blob storage.</summary>
public sealed class When_processes_speak_TLS : IAsyncLifetime
{
    private readonly TestCluster _cluster = new();
    private readonly PrivateAuthority _authority = new("cluster"), _other = new("other");
    private readonly List<IDisposable> _made = [];

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _cluster.DisposeAsync();
        _made.ForEach(one => one.Dispose());
    }

    /// <summary>Silos and clients go on through a change of everything: certificates, and the authority.</summary>
    [Fact]
    public async Task Should_take_renewed_certificates_and_authorities_and_keep_what_is_open()
    {
        await _cluster.WithDocumentAsync();
        MountedSecret[] secrets = [Secret(_authority, "one"), Secret(_authority, "two"), Secret(_authority, "three")];
        var (one, two) = (await SiloAsync(secrets[0]), await SiloAsync(secrets[1]));
        var client = _cluster.Add(await TestClient.StartAsync(_cluster.Documents, _cluster.Id, TestSecrets.Of("api"), null, also: Over(secrets[2]))).Grains;
        await AnswerAsync(client, "before");
        var open = one.Connections;

        foreach (var secret in secrets) secret.Write(_authority.Issue("renewed"), _authority.Pem + _other.Pem);
        await TakenAsync("CN=renewed", one.Services, two.Services, client.ServiceProvider);
        foreach (var secret in secrets) secret.Write(_other.Issue("moved"), _authority.Pem + _other.Pem);
        await TakenAsync("CN=moved", one.Services, two.Services, client.ServiceProvider);
        foreach (var secret in secrets) secret.Write(_other.Issue("done"), _other.Pem);
        await TakenAsync("CN=done", one.Services, two.Services, client.ServiceProvider);

        // What was open is; and what is new is let in, or not, by what holds now.
        await AnswerAsync(client, "after");
        Assert.NotEmpty(open);
        Assert.Subset(one.Connections.ToHashSet(), open.ToHashSet());
        var late = _cluster.Add(await TestClient.StartAsync(_cluster.Documents, _cluster.Id, TestSecrets.Of("api"), null, also: Over(Secret(_other, "late")))).Grains;
        await AnswerAsync(late, "late");
        var three = await SiloAsync(Secret(_other, "third"));
        await TestCluster.UntilAsync(() => three.Standing.IsConfirmed, TimeSpan.FromSeconds(20), "the third silo's standing");
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => RefusedAsync(Over(Secret(_authority, "early", _authority.Pem + _other.Pem))));
        Assert.True(one.Standing.IsConfirmed && two.Standing.IsConfirmed);
    }

    [Fact]
    public async Task Should_relay_mail_between_processes_and_let_in_no_stranger()
    {
        using var sink = new Sink();
        await using var redis = await RedisServer.StartAsync();
        using var azurite = await Azurite.StartAsync();
        var (silo, gateway) = (Ports.Free(), Ports.Free());
        await using var grains = Process("grains", azurite, sink, Secret(_authority, "silo"));
        foreach (var (role, secret) in TestSecrets.All) grains.Set($"Cluster:Secret:{role}", secret);
        foreach (var (name, value) in new Dictionary<string, string> { ["Redis"] = redis.Address, ["Cluster:Advertise"] = "127.0.0.1", ["Cluster:SiloPort"] = Text(silo), ["Cluster:GatewayPort"] = Text(gateway) }) grains.Set(name, value);
        await grains.StartAsync();
        await using var egress = await Process("egress", azurite, sink, Secret(_authority, "egress")).StartAsync();
        await using var ingress = Process("ingress", azurite, sink, Secret(_authority, "ingress"));
        var end = DateTimeOffset.UtcNow.AddDays(5);
        foreach (var (container, key) in AzureRoleKeys.Make(azurite.ConnectionString, "angarium", ["ingress"], end)) ingress.Set($"Spool:Containers:{container}", key);
        await ingress.StartAsync();

        using (var client = await Client.ConnectAsync(ingress.SmtpPort))
        {
            await client.ReplyAsync();
            await client.CommandAsync("EHLO client.test");
            Assert.StartsWith("250", await client.TransactionAsync("a@sender.test", ["b@one.test"], "Subject: over TLS\r\n\r\nx"), StringComparison.Ordinal);
        }

        await sink.CountAsync(1);
        Assert.InRange(await ingress.MetricAsync("angarium_certificate_expires_seconds", "use=\"cluster\""), DateTimeOffset.UtcNow.AddDays(29).ToUnixTimeSeconds(), DateTimeOffset.UtcNow.AddDays(31).ToUnixTimeSeconds());

        Assert.Equal(end.ToUnixTimeSeconds(), await ingress.MetricAsync("angarium_storage_key_expires_seconds", "container=\"spool\""));
        var (code, found) = await ingress.CommandAsync("doctor");
        Assert.True(code == 0, found);
        Assert.Matches(@"(?m)^ok +cluster certificate: ingress, good until ", found);
        Assert.Matches($@"(?m)^warning +storage spool: .*; its key ends on {end:yyyy-MM-dd HH:mm} UTC$", found);

        // Nothing of the gateway's port is plain.
        using (var plain = await Client.ConnectAsync(gateway))
        {
            await plain.SendAsync(new byte[100]);
            Assert.Equal("", await plain.ReplyAsync());
            await grains.Process!.LineAsync(line => line.Contains("to this silo was refused: it does not speak TLS 1.3 as members do", StringComparison.Ordinal), TimeSpan.FromSeconds(30), "line of the silo");
        }

        foreach (var (stranger, says) in new[]
                 {
                     (null, "waiting for a silo of the cluster"),
                     (Secret(_other, "other", _other.Pem), "is not of an authority in Cluster:Tls:Authority"),
                     (Secret(_other, "unknown", _authority.Pem + _other.Pem), "it does not take this process's certificate (CN=unknown"),
                     (Secret(_authority, "expired", to: -0.5), "it does not take this process's certificate (CN=expired"),
                 })
        {
            await using var process = Process("ingress", azurite, sink, stranger);
            var child = process.Launch();
            await child.LineAsync(line => line.Contains(says, StringComparison.Ordinal), TimeSpan.FromSeconds(60), $"line `{says}`");
            Assert.DoesNotContain("ready", child.Output, StringComparison.OrdinalIgnoreCase);
            if (says.Contains("expired", StringComparison.Ordinal)) Assert.Contains("(CN=expired) has expired on", child.Output, StringComparison.Ordinal);
        }

        Assert.True(await grains.MetricAsync("angarium_cluster_tls_refusals_total", "accepted") >= 3);
        // All came from one address, and again and again: lines are few.
        Assert.InRange(grains.Process!.Output.Split('\n').Count(line => line.Contains("to this silo was refused", StringComparison.Ordinal)), 1, 3);
    }

    [Fact]
    public async Task Should_name_the_setting_when_a_file_is_wrong()
    {
        var right = Secret(_authority, "right");
        foreach (var (files, says) in new[]
                 {
                     ((right.Certificate, right.Key, ""), "belong together; set all three or none."),
                     ((right.Certificate, right.Key, "/no/such/file"), "cannot be used: "),
                     ((right.Certificate, Secret(_authority, "key").Key, right.Authority), "cannot be used: "),
                     ((right.Certificate, right.Key, Secret(_other, "other").Authority), "is not of an authority in Cluster:Tls:Authority"),
                     (Files(new MountedSecret(_authority, "unspecified", usages: [])), "is not for client authentication; issue one"),
                 })
        {
            await using var process = new Relay(new()
            {
                ["Roles"] = "ingress", ["Cluster:Id"] = "mail", ["Cluster:Secret:ingress"] = TestSecrets.All["ingress"], ["Spool:Azure"] = "UseDevelopmentStorage=true",
                ["Cluster:Tls:Certificate"] = files.Item1, ["Cluster:Tls:Key"] = files.Item2, ["Cluster:Tls:Authority"] = files.Item3,
            });
            var child = process.Launch();
            Assert.NotEqual(0, await child.ExitAsync(TimeSpan.FromSeconds(60)));
            var line = Assert.Single(child.Output.Split('\n'), l => l.Length > 0);
            Assert.StartsWith("angarium: Cluster:Tls:Certificate", line, StringComparison.Ordinal);
            Assert.Contains(says, line, StringComparison.Ordinal);
        }

        (string, string, string) Files(MountedSecret secret)
        {
            _made.Add(secret);
            return (secret.Certificate, secret.Key, secret.Authority);
        }
    }

    private static Action<IClientBuilder> Over(MountedSecret secret) => client => client.UseTls(new ClusterTlsFiles(secret.Certificate, secret.Key, secret.Authority));

    private static async Task AnswerAsync(IGrainFactory grains, string key)
    {
        for (var i = 0; i < 20; i++) Assert.Equal($"{key}-{i}", (await grains.GetGrain<IDomainQueueAdmin>($"{key}-{i}").Show(1)).Domain);
    }

    private static Task TakenAsync(string subject, params IServiceProvider[] processes) => TestCluster.UntilAsync(
        () => processes.All(services => services.GetRequiredService<ClusterCertificate>().Current.Certificate.Subject == subject), TimeSpan.FromSeconds(30), $"the certificate {subject}");

    private async Task RefusedAsync(Action<IClientBuilder> also)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        await using var client = await TestClient.StartAsync(_cluster.Documents, _cluster.Id, TestSecrets.Of("api"), null, cancellationToken: limit.Token, also: also);
    }

    private async Task<TestSilo> SiloAsync(MountedSecret secret) =>
        _cluster.Add(await TestSilo.StartAsync(_cluster.Documents, _cluster.Id, silo => silo.UseTls(new ClusterTlsFiles(secret.Certificate, secret.Key, secret.Authority))));

    private MountedSecret Secret(PrivateAuthority issuer, string name, string? authorities = null, double to = 30)
    {
        var secret = new MountedSecret(issuer, name, to: to, authorities: authorities);
        _made.Add(secret);
        return secret;
    }

    private static Relay Process(string role, Azurite azurite, Sink sink, MountedSecret? secret)
    {
        var settings = new Dictionary<string, string>
        {
            ["Roles"] = role, ["Cluster:Id"] = "tls", [$"Cluster:Secret:{role}"] = TestSecrets.All[role], ["Spool:Azure"] = azurite.ConnectionString, ["Egress:NextHop"] = $"127.0.0.1:{sink.Port}",
        };
        if (secret is not null) (settings["Cluster:Tls:Certificate"], settings["Cluster:Tls:Key"], settings["Cluster:Tls:Authority"]) = (secret.Certificate, secret.Key, secret.Authority);
        return new Relay(settings);
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
