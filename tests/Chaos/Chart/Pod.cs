using System.Globalization;
using System.Text;
using Angarium.Chaos.Network;
using Angarium.Chaos.Processes;
using k8s.Models;

namespace Angarium.Chaos.Chart;

/// <summary>
/// What a kubelet makes of a pod template, as a script for a host of the <see cref="Lan"/>: a root that holds the image and the declared volumes and nothing else, read-only where the manifest says so, the
/// declared user without any capability, and the declared environment alone. The executable stands for the image, whose entry point it is. Limits of memory and seccomp are not played. Written before the first
/// start; the volumes outlive each, and the claimed ones the pod.
/// </summary>
/// <param name="Manifests">Where ConfigMaps and Services are.</param>
/// <param name="Secrets">By name; those that the manifests do not hold.</param>
/// <param name="Resolver">The address of the DNS.</param>
/// <param name="Authorities">Whom the image trusts beyond its own secrets, as PEM; empty = nobody.</param>
internal sealed record Pod(Manifests Manifests, IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> Secrets, string Resolver, string Authorities = "")
{
    /// <summary>Where the executable is in the image; its own environment names `Data`.</summary>
    private const string Image = "/app";

    /// <summary>Where the volumes of a pod are, in its folder.</summary>
    public static string VolumeOf(string folder, string volume) => Path.Combine(folder, "volumes", volume);

    /// <summary>Writes the script and its volumes; the command that runs it.</summary>
    public async Task<string[]> PrepareAsync(string name, string address, string node, string folder, V1PodTemplateSpec template, IReadOnlyList<string> claims)
    {
        var (spec, container) = (template.Spec, template.Spec.Containers.Single());
        var security = spec.SecurityContext;
        var (user, group, files) = (security.RunAsUser ?? 0, security.RunAsGroup ?? 0, security.FsGroup ?? 0);
        var volumes = Path.Combine(folder, "volumes");
        if (!Directory.Exists(volumes)) await Lan.CommandAsync("mount", "-t", "tmpfs", "-o", "size=2g,mode=0755", "tmpfs", Directory.CreateDirectory(volumes).FullName);
        foreach (var volume in (spec.Volumes ?? []).Select(v => v.Name).Where(v => Directory.Exists(VolumeOf(folder, v)))) Directory.Delete(VolumeOf(folder, volume), recursive: true);
        foreach (var volume in (spec.Volumes ?? []).Select(v => v.Name).Concat(claims.Where(c => !Directory.Exists(VolumeOf(folder, c))))) await FillAsync(folder, (spec.Volumes ?? []).FirstOrDefault(v => v.Name == volume), volume, files);
        var root = Directory.CreateDirectory(Path.Combine(folder, "root")).FullName;
        var etc = Directory.CreateDirectory(Path.Combine(folder, "etc")).FullName;
        // As kubelet and runtime write them.
        await File.WriteAllTextAsync(Path.Combine(etc, "resolv.conf"), $"nameserver {Resolver}\nsearch {HelmChart.Namespace}.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n");
        await File.WriteAllTextAsync(Path.Combine(etc, "hosts"), $"127.0.0.1 localhost\n{address} {name}\n");
        await File.WriteAllTextAsync(Path.Combine(etc, "nsswitch.conf"), "hosts: files dns\n");
        if (Authorities.Length > 0) await File.WriteAllTextAsync(Path.Combine(Directory.CreateDirectory(Path.Combine(etc, "ssl", "certs")).FullName, "authorities.pem"), Authorities);
        var script = new StringBuilder().AppendLine(CultureInfo.InvariantCulture, $$"""
            set -e
            echo {{name}} >/proc/sys/kernel/hostname
            mount -t tmpfs -o size=4m,mode=0755 pod {{Quoted(root)}}
            cd {{Quoted(root)}}
            mkdir usr dev proc sys
            ln -s usr/bin usr/sbin usr/lib usr/lib64 .
            bind() { mkdir -p ".$2"; mount --bind "$1" ".$2"; [ "$3" = rw ] || mount -o remount,bind,ro ".$2"; }
            bind /usr /usr
            bind {{Quoted(Path.GetDirectoryName(Cluster.Executable)!)}} {{Image}}
            bind {{Quoted(etc)}} /etc rw
            for it in dev proc sys; do mount --rbind /$it $it; done
            """);
        if (Runtime() is { } runtime) script.AppendLine(CultureInfo.InvariantCulture, $"bind {Quoted(runtime)} {Quoted(runtime)}");
        // A mount point below /etc is made in what will be read-only.
        foreach (var mount in container.VolumeMounts ?? [])
            script.AppendLine(CultureInfo.InvariantCulture, $"bind {Quoted(VolumeOf(folder, mount.Name))} {Quoted(mount.MountPath)} {(mount.ReadOnlyProperty == true ? "ro" : "rw")}");
        var identity = IdentityOf(template);
        if (identity.Count > 0)
        {
            var token = Directory.CreateDirectory(Path.Combine(folder, "token")).FullName;
            await File.WriteAllTextAsync(Path.Combine(token, Path.GetFileName(IdentityProvider.TokenFile)), IdentityProvider.TokenOf(spec.ServiceAccountName));
            script.AppendLine(CultureInfo.InvariantCulture, $"bind {Quoted(token)} {Path.GetDirectoryName(IdentityProvider.TokenFile)}");
        }

        if (container.SecurityContext?.ReadOnlyRootFilesystem == true) script.AppendLine("mount -o remount,bind,ro ./etc").AppendLine("mount -o remount,ro .");
        string[] capabilities = container.SecurityContext?.Capabilities?.Drop?.Contains("ALL") == true ? ["--bounding-set=-all", "--inh-caps=-all"] : [];
        string[] privileges = container.SecurityContext?.AllowPrivilegeEscalation == false ? ["--no-new-privs"] : [];
        string[] environment = ["PATH=/usr/sbin:/usr/bin", $"HOSTNAME={name}", "HOME=/", "ANGARIUM_Data=/var/lib/angarium", .. Environment(name, address, node, spec, container).Concat(identity).Select(v => $"{v.Key}={v.Value}")];
        string[] command =
        [
            "env", "-i", .. environment, "chroot", ".", "setpriv", $"--reuid={user}", $"--regid={group}", $"--groups={files}", .. capabilities, .. privileges, "--",
            .. container.Command is { Count: > 0 } own ? own : [$"{Image}/{Path.GetFileName(Cluster.Executable)}"], .. container.Args ?? [],
        ];
        script.Append("exec ").AppendJoin(' ', command.Select(Quoted)).Append('\n');
        var file = Path.Combine(folder, "start.sh");
        await File.WriteAllTextAsync(file, script.ToString());
        // The name of the machine is the pod's.
        return ["unshare", "--uts", "sh", file];
    }

    /// <summary>The environment as declared, with `$(NAME)` of what was declared before; and, where they are not switched off, the Services'.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Environment(string name, string address, string node, V1PodSpec spec, V1Container container)
    {
        var all = new List<KeyValuePair<string, string>>();
        if (spec.EnableServiceLinks != false)
        {
            foreach (var service in Manifests.Of<V1Service>().Where(s => s.Spec.ClusterIP != "None"))
            {
                var prefix = service.Metadata.Name.ToUpperInvariant().Replace('-', '_');
                all.Add(new($"{prefix}_SERVICE_HOST", "10.99.12.1"));
                all.Add(new($"{prefix}_SERVICE_PORT", service.Spec.Ports[0].Port.ToString(CultureInfo.InvariantCulture)));
            }
        }

        foreach (var variable in container.Env ?? [])
        {
            var value = variable.ValueFrom switch
            {
                null => all.Aggregate(variable.Value ?? "", (text, known) => text.Replace($"$({known.Key})", known.Value, StringComparison.Ordinal)),
                { SecretKeyRef: { } secret } => Secret(secret.Name)[secret.Key],
                { FieldRef.FieldPath: "status.podIP" } => address,
                { FieldRef.FieldPath: "spec.nodeName" } => node,
                { FieldRef.FieldPath: "metadata.name" } => name,
                _ => throw new NotSupportedException($"{variable.Name} comes from where no kubelet of these tests looks"),
            };
            all.Add(new(variable.Name, value));
        }

        return all;
    }

    /// <summary>What the webhook of workload identities adds to the environment of pods with its label: whom the account of the service is in the directory.</summary>
    public IReadOnlyDictionary<string, string> IdentityOf(V1PodTemplateSpec template) =>
        template.Metadata.Labels?.TryGetValue("azure.workload.identity/use", out var use) == true && use == "true"
            ? IdentityProvider.Environment(Manifests.Of<V1ServiceAccount>(template.Spec.ServiceAccountName).Metadata.Annotations["azure.workload.identity/client-id"])
            : new Dictionary<string, string>();

    /// <summary>The files of a volume; null = it is written to.</summary>
    public IReadOnlyDictionary<string, string>? FilesOf(V1Volume? volume) => volume switch
    {
        { ConfigMap: { } map } => Manifests.Of<V1ConfigMap>(map.Name).Data.ToDictionary(),
        { Secret: { } secret } => Secret(secret.SecretName),
        null or { EmptyDir: not null } or { PersistentVolumeClaim: not null } => null,
        _ => throw new NotSupportedException($"volume {volume.Name} is of a kind that no kubelet of these tests knows"),
    };

    private IReadOnlyDictionary<string, string> Secret(string name) => Secrets.TryGetValue(name, out var secret) ? secret : throw new KeyNotFoundException($"no Secret {name}: the pod would wait for it");

    private async Task FillAsync(string folder, V1Volume? volume, string name, long group)
    {
        var path = Directory.CreateDirectory(VolumeOf(folder, name)).FullName;
        var files = FilesOf(volume);
        if (files is not null)
        {
            // Links to a folder that is exchanged as a whole.
            var data = Directory.CreateDirectory(Path.Combine(path, "..2026")).FullName;
            Directory.CreateSymbolicLink(Path.Combine(path, "..data"), "..2026");
            foreach (var (file, text) in files)
            {
                await File.WriteAllTextAsync(Path.Combine(data, file), text);
                File.CreateSymbolicLink(Path.Combine(path, file), Path.Combine("..data", file));
            }

            await Lan.CommandAsync("chmod", [Convert.ToString(volume!.Secret?.DefaultMode ?? volume.ConfigMap?.DefaultMode ?? 0b110_100_100, 8), .. files.Keys.Select(file => Path.Combine(data, file))]);
        }

        await Lan.CommandAsync("chown", "-R", $"0:{group}", path);
        // A disk is the group's; an emptyDir anybody's.
        await Lan.CommandAsync("chmod", files is not null ? "0755" : volume?.EmptyDir is null ? "2775" : "2777", path);
    }

    /// <summary>Where the runtime is, unless /usr has it.</summary>
    private static string? Runtime() =>
        Path.GetFullPath(Path.Combine(System.Runtime.InteropServices.RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..")).TrimEnd('/') is var folder && folder.StartsWith("/usr/", StringComparison.Ordinal) ? null : folder;

    private static string Quoted(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
