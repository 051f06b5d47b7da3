using System.Globalization;
using Microsoft.Extensions.Options;
using Orleans.Configuration;

namespace Angarium.Host.Cluster;

/// <summary>Orleans' membership table over the one document. Called by Orleans on any thread; holds no state.</summary>
internal sealed class DocumentMembershipTable(MembershipStore store, IOptions<ClusterOptions> cluster, IOptions<ClusterMembershipOptions> membership) : IMembershipTable
{
    public Task InitializeMembershipTable(bool tryInitTableVersion) =>
        tryInitTableVersion ? store.InitializeAsync(ClusterTuning.PatienceWithNothing(membership.Value.TableRefreshTimeout)) : Task.CompletedTask;

    public async Task<MembershipTableData> ReadAll()
    {
        var document = await ReadAsync();
        return new([.. document.Silos.Select(Entry)], TableVersionOf(document));
    }

    public async Task<MembershipTableData> ReadRow(SiloAddress key)
    {
        var document = await ReadAsync();
        return document.Find(key) is { } row ? new(Entry(row), TableVersionOf(document)) : new(TableVersionOf(document));
    }

    public Task<bool> InsertRow(MembershipEntry entry, TableVersion tableVersion) => store.ChangeAsync(document =>
        IsNext(document, tableVersion) && document.Find(entry.SiloAddress) is null ? document.With(MembershipRow.From(entry, tableVersion.Version)) : null);

    public Task<bool> UpdateRow(MembershipEntry entry, string etag, TableVersion tableVersion) => store.ChangeAsync(document =>
        IsNext(document, tableVersion) && document.Find(entry.SiloAddress) is { } row && Etag(row) == etag ? document.With(MembershipRow.From(entry, tableVersion.Version)) : null);

    /// <summary>Changes the time alone: neither version nor etag. A silo whose row is gone has nothing to update; it learns of that when it reads.</summary>
    public Task UpdateIAmAlive(MembershipEntry entry) => store.ChangeAsync(document =>
        document.Find(entry.SiloAddress) is { } mine
            ? document with { Silos = [.. document.Silos.Select(row => ReferenceEquals(row, mine) ? row with { Alive = MembershipRow.Utc(entry.IAmAliveTime) } : row)] }
            : null);

    public Task CleanupDefunctSiloEntries(DateTimeOffset beforeDate) => store.ChangeAsync(document =>
    {
        var kept = document.Silos.Where(row => row.Status == SiloStatus.Active || (row.Alive > row.Started ? row.Alive : row.Started) >= beforeDate.UtcDateTime).ToList();
        return kept.Count < document.Silos.Count ? document with { Silos = kept } : null;
    });

    public Task DeleteMembershipTableEntries(string clusterId) => clusterId == cluster.Value.ClusterId ? store.DeleteAsync() : Task.CompletedTask;

    private async Task<MembershipDocument> ReadAsync() => await store.ReadAsync() ?? throw new IOException($"The document {MembershipDocument.Name} is not there");

    private static bool IsNext(MembershipDocument document, TableVersion next) => next.Version - 1 == document.Version && next.VersionEtag == document.Edit;

    private static TableVersion TableVersionOf(MembershipDocument document) => new(document.Version, document.Edit);

    private static Tuple<MembershipEntry, string> Entry(MembershipRow row) => Tuple.Create(row.ToEntry(), Etag(row));

    private static string Etag(MembershipRow row) => row.Changed.ToString(CultureInfo.InvariantCulture);
}
