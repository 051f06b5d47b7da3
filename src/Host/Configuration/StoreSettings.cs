using Angarium.Contracts.Configuration;
using Angarium.Spool;

namespace Angarium.Host.Configuration;

/// <summary>The settings of the stores, bound here because the spool knows no settings: <see cref="ToOptions"/> is what it takes. A value.</summary>
public sealed record StoreSettings : IValidates
{
    [Setting("Spool:Azure", "Azure Blob account of a cluster's stores: a connection string, or the account's URI to use the workload's identity.", Secret = true, DefaultText = "none: files under `Data`")]
    public string Azure { get; init; } = "";

    [Setting("Spool:Container", "Prefix of the containers' names: `<prefix>-spool`, `-moved`, `-ledger`, `-cluster`, `-private`.")]
    public string Container { get; init; } = "angarium";

    [Setting("Spool:Containers:*", "URI with SAS of one container (`spool`, `moved`, `ledger`, `cluster`, `private`), in place of the account: what a role needs and no more, see `angarium storage keys`.", Secret = true)]
    public IReadOnlyDictionary<string, string> Containers { get; init; } = new Dictionary<string, string>();

    [Setting("Spool:Spacing", "Least time between a writer's commits under load, of packs and (a second at most) of the ledger; an idle writer never waits.", Min = 0, Max = 10, DefaultText = "none for files, 25ms for blobs")]
    public TimeSpan? Spacing { get; init; }

    [Setting("Spool:Cache", "Octets of just-committed packs kept for their first attempts, and of blobs four times as many of what lies beside what was read; 0 = none.", Min = 0, Max = 1L << 40)]
    public long Cache { get; init; } = 16 << 20;

    [Setting("Spool:MinFree", "Free disk space below which new mail is answered 452: a share such as `10%`, or octets.")]
    public string MinFree { get; init; } = "10%";

    public SpoolOptions ToOptions() => new() { Spacing = Spacing, Cache = Cache, MinFree = MinFree };

    public AzureStoreOptions ToAzureOptions() => new() { Account = Azure, Prefix = Container, Containers = Containers };

    public IEnumerable<string> Validate() => Azure.Length > 0 || Containers.Count > 0 ? [.. ToOptions().Validate(), .. ToAzureOptions().Validate()] : ToOptions().Validate();
}
