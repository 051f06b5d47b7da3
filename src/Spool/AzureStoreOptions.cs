using System.Text.RegularExpressions;

namespace Angarium.Spool;

/// <summary>Where the stores are when they are blobs. Plain values: the host binds them from the settings of the same names. Immutable. Holds secrets: never printed.</summary>
public sealed partial record AzureStoreOptions
{
    /// <summary>The containers `&lt;prefix&gt;-&lt;name&gt;` and what <see cref="Containers"/> calls them.</summary>
    public static IReadOnlyList<string> Names { get; } = ["spool", "moved", "ledger", "cluster", "private"];

    /// <summary>`Spool:Azure`: a connection string, or the account's address (with a SAS, or without: workload identity). Empty = only what <see cref="Containers"/> names.</summary>
    public string Account { get; init; } = "";

    /// <summary>`Spool:Container`: how the containers' names begin.</summary>
    public string Prefix { get; init; } = "angarium";

    /// <summary>`Spool:Containers:spool|moved|ledger|cluster|private`: a container's address with a SAS; goes before the account for that one.</summary>
    public IReadOnlyDictionary<string, string> Containers { get; init; } = new Dictionary<string, string>();

    public override string ToString() => $"Azure, {Prefix}-*";

    /// <summary>One line per mistake, each naming the setting and the fix, none with a secret.</summary>
    public IEnumerable<string> Validate()
    {
        if (Account.Length == 0 && Containers.Count == 0) yield return "Spool:Azure: must be a connection string or the account's address, or Spool:Containers must name containers.";
        if (!PrefixForm().IsMatch(Prefix) || Prefix.Length is < 1 or > 50) yield return "Spool:Container: must be 1 to 50 lower-case letters, digits and single hyphens.";
        foreach (var (name, address) in Containers)
        {
            if (!Names.Contains(name)) yield return $"Spool:Containers:{name}: there is no such container; there are {string.Join(", ", Names)}.";
            else if (!Uri.TryCreate(address, UriKind.Absolute, out var uri) || uri.Scheme is not ("https" or "http") || !uri.Query.Contains("sig=", StringComparison.Ordinal))
                yield return $"Spool:Containers:{name}: must be the https address of a container with its SAS.";
        }
    }

    [GeneratedRegex("^[a-z0-9]+(-[a-z0-9]+)*$")]
    private static partial Regex PrefixForm();
}
