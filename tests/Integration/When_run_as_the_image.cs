using System.Text.RegularExpressions;
using System.Xml.Linq;
using Angarium.Host.Configuration;
using Angarium.Integration.Harness;
using Angarium.TestKit;

namespace Angarium.Integration;

/// <summary>
/// The image where there is no engine: what infra/image/Dockerfile and src/Host/Host.csproj say of it, and the published executable in the place that they give it, as the user that they name, with the
/// runtime, the C library and nothing else: no shell, no rights, and a root that is read only.
/// </summary>
public sealed class When_run_as_the_image
{
    private static readonly string[] s_lines = Regex.Replace(File.ReadAllText(Repository.Path("infra", "image", "Dockerfile")), "(?m)^#.*\n|\\\\\n", "").Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static string[] Last(string instruction) => s_lines.Last(line => line.StartsWith(instruction + " ", StringComparison.Ordinal))[(instruction.Length + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private static (string Name, string Value) Environment => (Last("ENV")[0].Split('=')[0], Last("ENV")[0].Split('=')[1]);

    [Fact]
    public void Should_be_the_same_by_Dockerfile_and_by_project()
    {
        var project = XDocument.Load(Repository.Path("src", "Host", "Host.csproj"));
        string Of(string name) => project.Descendants(name).Single().Value;
        XElement Item(string name) => project.Descendants(name).Single();
        Assert.EndsWith($":10.0-{Of("ContainerFamily")}", Last("FROM")[0], StringComparison.Ordinal);
        Assert.Equal(Of("ContainerUser"), Last("USER")[0]);
        Assert.Equal("Entrypoint", Of("ContainerAppCommandInstruction"));
        Assert.Equal($"[\"{Item("ContainerAppCommand").Attribute("Include")!.Value}\"]", Last("ENTRYPOINT")[0]);
        Assert.Equal(Item("ContainerPort").Attribute("Include")!.Value.Split(';'), Last("EXPOSE"));
        Assert.Equal(Environment, (Item("ContainerEnvironmentVariable").Attribute("Include")!.Value, Item("ContainerEnvironmentVariable").Attribute("Value")!.Value));
        Assert.Contains(s_lines, line => line.Contains("dotnet publish src/Host -c Release", StringComparison.Ordinal));
    }

    [Fact]
    public void Should_name_the_ports_that_the_relay_listens_on()
    {
        var standard = new[] { "Ingress:Smtp:Listen", "Http:Listen", "Admin:Listen", "Cluster:SiloPort", "Cluster:GatewayPort" }
            .Select(name => SettingReference.DefaultOf(SettingCatalog.All.Find(name)!).Split(':')[^1]);
        // Submission (RFC 8314, RFC 6409) has no listener before it is asked for.
        Assert.Equal([.. standard.Append("465").Append("587").Order()], Last("EXPOSE").Order());
    }

    [Fact]
    public async Task Should_relay_without_root_rights_or_a_shell_on_a_root_that_is_read_only()
    {
        using var network = new Namespace();
        var folder = Directory.CreateTempSubdirectory("angarium-image-").FullName;
        try
        {
            var user = Last("USER")[0];
            var (app, data) = (Path.Combine(folder, "app"), Path.Combine(folder, "data"));
            await RunAsync("cp", "-r", Path.GetDirectoryName(Relay.Executable)!, app);
            await RunAsync("chmod", "-R", "a+rX,go-w", app);
            await RunAsync("install", "-d", "-o", user, "-g", user, "-m", "0755", data);
            await RunAsync("chmod", "0755", folder);
            // As engines make it for a container.
            var names = Path.Combine(folder, "resolv.conf");
            await File.WriteAllTextAsync(names, "nameserver 127.0.0.1\n");
            await RunAsync([.. network.Wrapper, "sysctl", "-qw", "net.ipv4.ip_unprivileged_port_start=0"]);

            string[] command = [.. network.Wrapper, "setpriv", $"--reuid={user}", $"--regid={user}", "--clear-groups", "bwrap", .. Box(app, data, names), "--", .. Last("ENTRYPOINT")[0].Trim('[', ']').Split(',').Select(word => word.Trim('"'))];
            using var container = new Child(command[0], command[1..]);
            var ready = await container.LineAsync(line => line.Contains(" ready: ", StringComparison.Ordinal), TimeSpan.FromSeconds(60), "ready line");
            Assert.Contains("data in " + Environment.Value, ready, StringComparison.Ordinal);

            var (_, inside) = await Child.RunAsync("ip", ["netns", "pids", network.Name], TimeSpan.FromSeconds(20));
            var process = inside.Split('\n').Single(id => File.ReadAllText($"/proc/{id}/cmdline").StartsWith("/app/angarium\0", StringComparison.Ordinal));
            var status = File.ReadAllLines($"/proc/{process}/status");
            foreach (var wanted in new[] { $"Uid:\t{user}\t{user}\t{user}\t{user}", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1" }) Assert.Contains(wanted, status);
            var mounts = File.ReadAllLines($"/proc/{process}/mounts").Select(line => line.Split(' ')).Where(mount => mount[1] != "/proc" && mount[2] is not ("devpts" or "mqueue") && !mount[1].StartsWith("/dev", StringComparison.Ordinal) && !mount[1].StartsWith("/proc/", StringComparison.Ordinal)).ToList();
            Assert.Equal([Environment.Value], mounts.Where(mount => mount[3].Split(',').Contains("rw")).Select(mount => mount[1]));

            string[] client = [.. network.Wrapper, Relay.Executable, "sendmail", "--server", "127.0.0.1:25", "-f", "me@example.org", "you@example.net"];
            var (code, told) = await Child.RunAsync(client[0], client[1..], TimeSpan.FromSeconds(60), "Subject: From within\n\nHello.\n");
            Assert.True(code == 0, told + container.Output);
            await container.LineAsync(line => line.Contains("you@example.net", StringComparison.Ordinal) && line.Contains("Delivered", StringComparison.OrdinalIgnoreCase), TimeSpan.FromSeconds(60), "delivery to the bundled sink");
            Assert.Contains("From within", await RunAsync([.. network.Wrapper, "curl", "-sS", "http://127.0.0.1:8080/"]), StringComparison.Ordinal);

            await RunAsync("kill", "-TERM", process);
            Assert.True(await container.ExitAsync(TimeSpan.FromSeconds(60)) == 0, container.Output);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>A root of nothing but what the base image has for the program: the C library and the runtime.</summary>
    private static IEnumerable<string> Box(string app, string data, string names)
    {
        yield return "--unshare-all";
        yield return "--share-net";
        yield return "--die-with-parent";
        yield return "--clearenv";
        foreach (var (name, value) in new[] { Environment, ("ANGARIUM_Sink__Listen", "127.0.0.1:2600"), ("ANGARIUM_Egress__NextHop", "127.0.0.1:2600"), ("ANGARIUM_Ingress__TrustedNetworks", "127.0.0.0/8"), ("ANGARIUM_Hostname", "relay.test") })
            foreach (var word in new[] { "--setenv", name, value }) yield return word;
        var runtime = Path.GetFullPath(Path.Combine(System.Runtime.InteropServices.RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        foreach (var (from, to) in new[] { ("/usr/lib", "/usr/lib"), ("/usr/lib64", "/usr/lib64"), (runtime.TrimEnd('/'), "/usr/share/dotnet"), (app, "/app"), (names, "/etc/resolv.conf") })
            foreach (var word in new[] { "--ro-bind", from, to }) yield return word;
        foreach (var word in new[] { "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev", "--bind", data, Environment.Value, "--chdir", "/app", "--cap-drop", "ALL", "--remount-ro", "/" }) yield return word;
    }

    private static async Task<string> RunAsync(params string[] command)
    {
        var (code, output) = await Child.RunAsync(command[0], command[1..], TimeSpan.FromSeconds(60));
        Assert.True(code == 0, $"{string.Join(' ', command)}: {output}");
        return output;
    }
}
