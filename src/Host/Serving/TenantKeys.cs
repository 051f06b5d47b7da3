using System.Security.Cryptography;
using Angarium.Grains;
using Angarium.Grains.Tenants;

namespace Angarium.Host.Serving;

/// <summary>The key under which a silo stores tenants' keys: of `Keys:Master`; a process that is alone draws one at its first start and keeps it in `Data`. At start, on one thread.</summary>
internal static class TenantKeys
{
    /// <summary>Null = there is none: tenants cannot have domains.</summary>
    /// <exception cref="StartException">It cannot be read or kept.</exception>
    public static MasterKey? Load(ProcessPlan plan, TenantsOptions options)
    {
        var file = options.MasterKey.Length > 0 ? options.MasterKey : plan.IsAlone ? Path.Combine(plan.Options.Data, "master.key") : null;
        if (file is null) return null;
        try
        {
            if (options.MasterKey.Length == 0 && !File.Exists(file)) Draw(file);
            return new MasterKey(MasterKey.Parse(File.ReadAllText(file), out var error) ?? throw new StartException($"Keys:Master: {file} {error}"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StartException($"Keys:Master: {file} cannot be read or made: {e.Message}", e);
        }
    }

    /// <summary>Whole or not at all: half a key would be taken for one at the next start.</summary>
    private static void Draw(string file)
    {
        var draft = file + ".new";
        File.WriteAllText(draft, Convert.ToBase64String(RandomNumberGenerator.GetBytes(MasterKey.Size)) + "\n");
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(draft, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using (var written = new FileStream(draft, FileMode.Open, FileAccess.ReadWrite)) written.Flush(flushToDisk: true);
        File.Move(draft, file);
    }
}
