using Angarium.Contracts.Tenants;
using Angarium.Mail.Dkim;

namespace Angarium.Grains.Tenants;

/// <summary>What the owner of a sending domain has to publish, and whether it is there. Pure.</summary>
internal static class DomainRecords
{
    private const string OwnershipLabel = "_angarium.", OwnershipTag = "angarium-domain=", SpfTag = "v=spf1", DmarcTag = "v=DMARC1", DkimTag = "v=DKIM1";

    public const string ReturnPath = "return-path";

    private const string ReturnLabel = "bounce.";

    /// <summary>Where a domain's return paths are.</summary>
    public static string ReturnDomain(string domain) => ReturnLabel + domain;

    /// <param name="domain">Whose.</param>
    /// <param name="include">The name with our sending addresses; empty = none is to be included.</param>
    /// <param name="returnHost">The host that takes bounces; empty = there is none.</param>
    public static DomainRecord[] Of(TenantDomain domain, string include, string returnHost)
    {
        var records = new List<DomainRecord>
        {
            new() { Purpose = "ownership", Type = "TXT", Name = OwnershipLabel + domain.Name, Value = OwnershipTag + domain.Token, IsRequired = true },
        };
        foreach (var key in domain.Keys)
            records.Add(new() { Purpose = "dkim", Type = "TXT", Name = $"{key.Selector}._domainkey.{domain.Name}", Value = $"{DkimTag}; k={(key.Algorithm == DkimAlgorithm.RsaSha256 ? "rsa" : "ed25519")}; p={key.Public}", IsRequired = true });
        if (include.Length > 0) records.Add(new() { Purpose = "spf", Type = "TXT", Name = domain.Name, Value = $"{SpfTag} include:{include} ~all" });
        if (returnHost.Length > 0) records.Add(new() { Purpose = ReturnPath, Type = "CNAME", Name = ReturnDomain(domain.Name), Value = returnHost.ToLowerInvariant() });
        records.Add(new() { Purpose = "dmarc", Type = "TXT", Name = "_dmarc." + domain.Name, Value = $"{DmarcTag}; p=none" });
        return [.. records];
    }

    /// <summary>Judges one record by all of its name: TXT records, or where mail for it goes; null = the DNS did not answer.</summary>
    public static RecordCheck Check(DomainRecord expected, IReadOnlyList<string>? found)
    {
        if (found is null) return new RecordCheck { Expected = expected, State = RecordState.Unknown };
        // Other records of the name are other people's business; of a name that is ours alone, whatever is there is meant for us.
        var ours = found.Where(text => IsMeant(expected, text)).ToArray();
        var state = ours.Length == 0 ? RecordState.Missing : ours.Length > 1 ? RecordState.Doubled : Says(expected, ours[0]) ? RecordState.Ok : RecordState.Wrong;
        return new RecordCheck { Expected = expected, Found = [.. ours.Select(Shown)], State = state };
    }

    private static bool IsMeant(DomainRecord expected, string text) => expected.Purpose switch
    {
        "spf" => text.Equals(SpfTag, StringComparison.OrdinalIgnoreCase) || text.StartsWith(SpfTag + " ", StringComparison.OrdinalIgnoreCase),
        "dmarc" => text.StartsWith(DmarcTag, StringComparison.OrdinalIgnoreCase),
        _ => true,
    };

    private static bool Says(DomainRecord expected, string text) => expected.Purpose switch
    {
        "ownership" => text.Trim() == expected.Value,
        ReturnPath => text == expected.Value,
        "dkim" => HasKey(text, expected.Value),
        // Whatever else the domain allows, and whatever it says of the rest.
        "spf" => text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Contains(expected.Value.Split(' ')[1], StringComparer.OrdinalIgnoreCase),
        // Any policy is the domain's own.
        _ => Tags(text).TryGetValue("p", out var policy) && policy.ToLowerInvariant() is "none" or "quarantine" or "reject",
    };

    // RFC 6376 §3.6.1: white space within p= means nothing, the order of tags nothing; others may be there. A key that is only tested (t=y) or revoked (p= empty) is another key.
    private static bool HasKey(string text, string expected)
    {
        var (found, wanted) = (Tags(text), Tags(expected));
        return (!found.TryGetValue("v", out var version) || version == "DKIM1")
            && found.GetValueOrDefault("k", "rsa").Equals(wanted["k"], StringComparison.OrdinalIgnoreCase)
            && found.TryGetValue("p", out var key) && string.Concat(key.Where(c => !char.IsWhiteSpace(c))) == wanted["p"];
    }

    private static Dictionary<string, string> Tags(string text)
    {
        var tags = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var tag in text.Split(';'))
        {
            var equals = tag.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0) tags.TryAdd(tag[..equals].Trim(), tag[(equals + 1)..].Trim());
        }

        return tags;
    }

    /// <summary>Another's text, to be shown to people: as much as a record of ours is long.</summary>
    private static string Shown(string text)
    {
        var clean = string.Concat(text.Select(c => c is >= ' ' and < (char)0x7F ? c : '?'));
        return clean.Length > 1_000 ? clean[..1_000] + "…" : clean;
    }
}
