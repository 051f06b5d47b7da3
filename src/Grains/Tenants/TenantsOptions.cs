using Angarium.Contracts.Configuration;
using Angarium.Grains.Tenants;
using Angarium.Mail.Addresses;

namespace Angarium.Grains;

/// <summary>The settings of tenants, on silos. Immutable.</summary>
public sealed record TenantsOptions : IValidates
{
    [Setting("Keys:Master", "File with the key under which tenants' private keys are stored: 32 octets in base64. Lost, no stored key can be used again.", DefaultText = "a file of its own in `Data`, made at the first start; in a cluster none: tenants cannot have domains")]
    public string MasterKey { get; init; } = "";

    [Setting("Tenants:SpfInclude", "Name of the SPF record with the addresses that mail is sent from: tenants are told to include it.", DefaultText = "none: no SPF record is asked of them", Reloads = true)]
    public string SpfInclude { get; init; } = "";

    [Setting("Tenants:ReturnHost", "Name of the host that takes bounces: tenants are told to make `bounce.` of their domains an alias of it, which gives their messages return paths that lead here. Its own MX is to be this relay, and its SPF record is to have the addresses that mail is sent from.", DefaultText = "none: messages keep the return path that they came with", Reloads = true)]
    public string ReturnHost { get; init; } = "";

    public IEnumerable<string> Validate()
    {
        foreach (var (setting, name) in new[] { ("Tenants:SpfInclude", SpfInclude), ("Tenants:ReturnHost", ReturnHost) })
            if (name.Length > 0 && !QueueDomain.TryParse(name, out _)) yield return $"{setting}: {name} is no name of a host; give one such as mail.example.org";
        if (MasterKey.Length == 0) yield break;
        var error = "";
        try
        {
            if (Tenants.MasterKey.Parse(File.ReadAllText(MasterKey), out error) is not null) yield break;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            error = "cannot be read; name a file that this user may read";
        }

        yield return $"Keys:Master: {MasterKey} {error}";
    }
}
