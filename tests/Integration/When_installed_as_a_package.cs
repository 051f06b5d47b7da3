using System.Globalization;
using System.Text.RegularExpressions;
using Angarium.Host.Configuration;
using Angarium.Integration.Harness;
using Angarium.TestKit;

namespace Angarium.Integration;

/// <summary>
/// The packages of infra/packages, installed on a copy of this machine's own files that vanishes with the test: what lies where and belongs to whom, the service as its unit starts it, mail through
/// sendmail, and nothing left in the end.
/// </summary>
public sealed class When_installed_as_a_package
{
    private static readonly string s_sources = Repository.Path("infra", "packages");

    [Fact]
    public async Task Should_relay_as_a_service_and_leave_nothing_behind()
    {
        var folder = Directory.CreateTempSubdirectory("angarium-packages-");
        try
        {
            await BuildAsync(folder.FullName);
            using var network = new Namespace();
            using var sink = new Sink(create: network.CreateSocket);
            var script = Path.Combine(folder.FullName, "install");
            await File.WriteAllTextAsync(script, Script);
            Directory.CreateDirectory(Path.Combine(folder.FullName, "root"));
            string[] command = [.. network.Wrapper, "unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", script, folder.FullName, $"{sink.Port}", new ServiceUnit(Path.Combine(s_sources, "angarium.service"))["ExecStart"]];
            using var machine = new Child(command[0], command[1..]);
            await machine.LineAsync(line => line == "== sent", TimeSpan.FromMinutes(3), "mail through sendmail");
            var mail = Assert.Single(await sink.CountAsync(1));
            await machine.Input.WriteLineAsync("arrived");
            Assert.True(await machine.ExitAsync(TimeSpan.FromMinutes(2)) == 0, machine.Output);
            var told = Regex.Split(machine.Output, "(?m)^== (.+)$").Skip(1).Chunk(2).ToDictionary(part => part[0], part => part[1].Trim('\n').Split('\n'));

            Assert.Equal(
                ["drwx------ angarium angarium /var/lib/angarium", "-rw-r--r-- root root /etc/angarium/angarium.json", "-rwxr-xr-x root root /usr/lib/angarium/angarium", "-rw-r--r-- root root /usr/lib/angarium/angarium.dll",
                    "lrwxrwxrwx root root /usr/bin/angarium", "lrwxrwxrwx root root /etc/systemd/system/multi-user.target.wants/angarium.service"], told["installed"]);
            Assert.Equal([""], told["verified"]);
            Assert.InRange(double.Parse(Regex.Match(told["exposure"][0], "[0-9]+[.][0-9]").Value, CultureInfo.InvariantCulture), 0, 2);
            Assert.Contains(told["running"], line => line.Contains(" ready: ", StringComparison.Ordinal) && line.Contains("Ingress:Smtp:Listen 127.0.0.1:25", StringComparison.Ordinal));
            Assert.Equal(["CapInh:\t0000000000000400", "CapPrm:\t0000000000000400", "CapEff:\t0000000000000400", "CapBnd:\t0000000000000400", "CapAmb:\t0000000000000400", "NoNewPrivs:\t1"], told["rights"]);
            Assert.Equal(["you@example.net"], mail.Recipients);
            Assert.StartsWith("nobody@", mail.Sender, StringComparison.Ordinal);
            Assert.Contains("Mail queue is empty", told["queue"]);
            Assert.Equal(["0"], told["ended"]);

            // The service would be stopped short by a call that its filter forbids.
            var calls = told["calls"].Where(call => Regex.IsMatch(call, "^[a-z_0-9]+$")).ToList();
            Assert.True(calls.Count > 40, string.Join(' ', calls));
            Assert.Empty(calls.Except(await new ServiceUnit(Path.Combine(s_sources, "angarium.service")).AllowedCallsAsync()));

            Assert.Contains("/etc/angarium/angarium.json", told["removed"]);
            Assert.Contains("/var/lib/angarium", told["removed"]);
            Assert.DoesNotContain(told["removed"], path => path.StartsWith("/usr/", StringComparison.Ordinal));
            Assert.Equal([""], told["purged"]);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void Should_have_settings_that_are_right_and_more_patience_than_the_relay_needs()
    {
        var file = Path.Combine(s_sources, "angarium.json");
        var bound = SettingBinder.Bind(SettingCatalog.All, new SettingSources { Development = false, File = file, CommandLine = ["Hostname=mx.example.org"] }.Read());
        Assert.Empty(bound.Mistakes);
        var unit = new ServiceUnit(Path.Combine(s_sources, "angarium.service"));
        Assert.True(int.Parse(unit["TimeoutStopSec"], CultureInfo.InvariantCulture) > bound.Get<RelayOptions>().ShutdownTimeout.TotalSeconds);
        Assert.Equal($"/var/lib/{unit["StateDirectory"]}", bound.Get<RelayOptions>().Data);
    }

    private static async Task BuildAsync(string output)
    {
        var environment = new Dictionary<string, string> { ["OUTPUT"] = output, ["DPKG_DEB_COMPRESSOR_TYPE"] = "gzip", ["DPKG_DEB_COMPRESSOR_LEVEL"] = "1" };
        var (code, told) = await Child.RunAsync(Path.Combine(s_sources, "build"), ["linux-x64", Path.GetDirectoryName(Relay.Executable)!], TimeSpan.FromMinutes(3), environment: environment);
        Assert.True(code == 0, told);
        var (_, listing) = await Child.RunAsync("tar", ["-tzf", Directory.GetFiles(output, "*.tar.gz").Single()], TimeSpan.FromSeconds(30));
        foreach (var file in new[] { "lib/angarium", "angarium.json", "angarium.service", "LICENSE", "README.md", "docs/operating/configuration.md" })
            Assert.Contains(listing.Split('\n'), line => Regex.IsMatch(line, $"^angarium-[0-9.]+/{Regex.Escape(file)}$"));
    }

    /// <summary>Arguments: the folder of the packages, the port of the next hop, the command of the unit. Its parts are headed by `== `.</summary>
    private const string Script = """
        exec 2>&1
        set -euo pipefail
        export DEBIAN_FRONTEND=noninteractive
        folder=$1 port=$2 start=$3
        # The machine's files, read through; what is written goes into memory.
        mount -t tmpfs angarium "$folder/root"
        mkdir "$folder"/root/{upper,work,root}
        root=$folder/root/root
        mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/root/upper,workdir=$folder/root/work" "$root"
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        mount -t tmpfs run "$root/run"
        mkdir "$root/packages"
        cp "$folder"/*.deb "$root/packages"
        # The runtime is on this machine, though not as a package.
        inside() { chroot "$root" "$@"; }
        install() { inside sh -c "dpkg --ignore-depends=aspnetcore-runtime-10.0 --install /packages/$1_*.deb"; }
        ours() { (cd "$folder/root/upper" && find . -path ./packages -prune -o -name '*angarium*' ! -type c -printf '/%P\n' | sort); }

        # Beside whatever mail server is there.
        install angarium
        echo '== installed'
        inside stat -c '%A %U %G %n' /var/lib/angarium /etc/angarium/angarium.json /usr/lib/angarium/angarium /usr/lib/angarium/angarium.dll /usr/bin/angarium /etc/systemd/system/multi-user.target.wants/angarium.service
        echo '== verified'
        inside systemd-analyze verify angarium.service 2>&1 | grep -F angarium || true
        echo '== exposure'
        inside systemd-analyze --no-pager security --offline=yes angarium.service | grep -F 'Overall exposure'

        # What an operator changed outlives an upgrade.
        echo '== upgraded'
        sed -i "0,/\"Data\"/s//\"Egress:NextHop\": \"127.0.0.1:$port\",\n  \"Data\"/" "$root/etc/angarium/angarium.json"
        install angarium
        grep -F "127.0.0.1:$port" "$root/etc/angarium/angarium.json"

        # A machine has one sendmail.
        echo '== sendmail'
        others=$(inside dpkg-query -W -f '${db:Status-Status} ${Package} ${Provides}\n' | awk '$1 == "installed" && / mail-transport-agent/ && $2 != "angarium-sendmail" { print $2 }')
        if [ -n "$others" ]; then
          if install angarium-sendmail; then echo 'two of them'; exit 1; fi
          inside dpkg --force-depends --remove $others
        fi
        install angarium-sendmail

        # As the unit says; what the kernel is asked for is noted.
        echo '== running'
        exec {log}< <(exec chroot "$root" env -i --chdir=/var/lib/angarium PATH=/usr/bin setpriv --reuid=angarium --regid=angarium --clear-groups --no-new-privs \
          --bounding-set=-all,+net_bind_service --inh-caps=-all,+net_bind_service --ambient-caps=-all,+net_bind_service strace -f -qq -c -U name -o /tmp/calls $start 2>&1)
        service=$!
        while read -r line <&"$log"; do echo "$line"; case $line in *' ready: '*) break ;; esac; done
        cat <&"$log" >"$folder/log" &
        pid=$(inside pgrep -u angarium -x angarium)
        echo '== rights'
        grep -E '^(Cap|NoNewPrivs)' "$root/proc/$pid/status"
        printf 'Subject: Hello\n\nBy sendmail.\n' | inside setpriv --reuid=nobody --regid=nogroup --clear-groups /usr/sbin/sendmail you@example.net
        echo '== sent'
        read -r _
        echo '== queue'
        inside mailq
        kill -TERM "$pid"
        code=0; wait "$service" || code=$?
        echo '== log'
        cat "$folder/log"
        echo '== ended'
        echo "$code"
        echo '== calls'
        grep -vxE "syscall|total" "$root/tmp/calls"

        echo '== remove'
        inside dpkg --remove angarium-sendmail angarium
        echo '== removed'
        ours
        echo '== purge'
        inside dpkg --purge angarium-sendmail angarium
        echo '== purged'
        ours
        """;
}
