using Angarium.Contracts.Configuration;
using Angarium.Grains.Tenants;

namespace Angarium.Grains;

/// <summary>The settings of tenants, on silos. Immutable.</summary>
public sealed record TenantsOptions : IValidates
{
    [Setting("Keys:Master", "File with the key under which tenants' private keys are stored: 32 octets in base64. Lost, no stored key can be used again.", DefaultText = "a file of its own in `Data`, made at the first start; in a cluster none: tenants cannot have domains")]
    public string MasterKey { get; init; } = "";

    [Setting("Tenants:SpfInclude", "Name of the SPF record with the addresses that mail is sent from: tenants are told to include it.", DefaultText = "none: no SPF record is asked of them", Reloads = true)]
    public string SpfInclude { get; init; } = "";


    public IEnumerable<string> Validate()
    {
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
