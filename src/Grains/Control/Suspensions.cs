using System.Text.Json;
using System.Text.Json.Serialization;
using Angarium.Contracts.Admin;
using Angarium.Grains.Membership;
using Angarium.Grains.Tenants;
using Angarium.Mail;
using Angarium.Spool.Documents;
using Angarium.Spool.Time;

namespace Angarium.Grains.Control;

/// <summary>
/// What operators suspended (design rule 20), as this silo knows it: one document for all of it, read whole, so that no message costs a call; changed by compare-and-swap, told to the living silos by whoever
/// changes it, and looked at by all of them every few seconds (<see cref="SuspensionsWatch"/>). Any thread; what is in memory is read again after a crash.
/// </summary>
internal sealed class Suspensions(IDocumentStore documents, IStoreClock clock, IStanding standing)
{
    public const int Most = 1_000;

    /// <summary>The version of the document that this build reads and writes.</summary>
    private const int Format = 1;

    private const string Name = "control/suspensions";
    private const int MaxAttempts = 20;

    private readonly Lock _gate = new();
    private Task _last = Task.CompletedTask;
    private volatile SuspensionMap? _map;
    private volatile Parked? _parked;
    private string? _tag;

    /// <summary>Null = not read yet.</summary>
    public SuspensionMap? Current => _map;

    /// <summary>Looks whether another silo has changed it.</summary>
    public Task RefreshAsync(CancellationToken cancellationToken) => InTurnAsync(async () =>
    {
        var (hasChanged, document) = await documents.ReadIfChangedAsync(Name, _tag, cancellationToken);
        if (hasChanged || _map is null) (_map, _tag) = (Read(document), document?.Tag);
        return true;
    });

    /// <summary>Changes the list and writes it durably; what is over goes from it.</summary>
    /// <param name="change">The list as it is to be; null = it stays, and nothing is written.</param>
    /// <param name="cancellationToken">Ends the attempts.</param>
    /// <returns>False = it stayed.</returns>
    /// <exception cref="IOException">Not written, or not known; or this silo may be none any more.</exception>
    public Task<bool> ChangeAsync(Func<IReadOnlyList<Suspension>, IEnumerable<Suspension>?> change, CancellationToken cancellationToken) => InTurnAsync(async () =>
    {
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            var document = await documents.ReadAsync(Name, cancellationToken);
            var now = clock.Now;
            var before = Read(document).All.Where(one => !one.IsOver(now)).ToList();
            // A process that was frozen finds what was ordered and taken back since. After the reading: what is changed later makes the write fail.
            if (!await standing.ConfirmAsync(cancellationToken)) throw new IOException("This silo's membership row is not confirmed: what was ordered is to be ordered again.");
            if (change(before)?.ToList() is not { } after)
            {
                (_map, _tag) = (Read(document), document?.Tag);
                return false;
            }

            var stored = new Stored(Format, [.. after.Select(one => new StoredSuspension(one.Kind, one.Name, one.Until.Milliseconds, one.Since.Milliseconds, one.Actor, one.Reason))]);
            if (await documents.WriteAsync(Name, JsonSerializer.SerializeToUtf8Bytes(stored, SuspensionsJson.Default.Stored), document?.Tag, cancellationToken) is not { } tag) continue;
            (_map, _tag) = (new SuspensionMap(after), tag);
            return true;
        }

        throw new IOException($"The document {Name} was changed by others {MaxAttempts} times in a row.");
    });

    /// <summary>The tenants' pools as queues are to go by them: who is suspended is in one that nobody serves. The same object until something of it has changed; null = not known.</summary>
    public PoolMap? Over(PoolMap? pools)
    {
        var (map, now) = (_map, clock.Now);
        if (map is null || pools is null) return null;
        if (_parked is { } known && ReferenceEquals(known.Map, map) && ReferenceEquals(known.Pools, pools) && now < known.Until) return known.Over;
        lock (_gate)
        {
            // One object for all domains: another means to each that it has to look again.
            if (_parked is { } same && ReferenceEquals(same.Map, map) && ReferenceEquals(same.Pools, pools) && now < same.Until) return same.Over;
            var tenants = map.Tenants(now);
            var over = tenants.Count == 0 ? pools : pools.Parking(tenants);
            _parked = new Parked(map, pools, map.NextEnd(now), over);
            return over;
        }
    }

    private static SuspensionMap Read(Document? document)
    {
        if (document is null) return SuspensionMap.Empty;
        try
        {
            using var json = JsonDocument.Parse(document.Content);
            // The version first: what it says of the rest is clearer than the first member that this build does not know.
            if (json.RootElement is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("version", out var version) && version.GetRawText() != $"{Format}")
                throw new InvalidDataException($"{Name} is of version {version.GetRawText()}; this version of angarium reads {Format}.");
            var stored = json.Deserialize(SuspensionsJson.Default.Stored) ?? throw new InvalidDataException($"{Name} is empty.");
            return new SuspensionMap([.. stored.Suspensions.Select(one => new Suspension { Kind = one.Kind, Name = one.Name, Until = new StoreTime(one.Until), Since = new StoreTime(one.Since), Actor = one.Actor, Reason = one.Reason })]);
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            throw new InvalidDataException($"{Name} cannot be read: {e.Message}", e);
        }
    }

    /// <summary>One at a time: what was read first must not be taken for news.</summary>
    private async Task<bool> InTurnAsync(Func<Task<bool>> work)
    {
        var mine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await Interlocked.Exchange(ref _last, mine.Task);
        try
        {
            return await work();
        }
        finally
        {
            mine.SetResult();
        }
    }

    private sealed record Parked(SuspensionMap Map, PoolMap Pools, StoreTime Until, PoolMap Over);

    /// <summary>The document as stored; times in milliseconds since 1970, `until` 0 = until it is taken back.</summary>
    internal sealed record Stored(int Version, StoredSuspension[] Suspensions);

    internal sealed record StoredSuspension(SuspensionKind Kind, string Name, long Until, long Since, string Actor, string Reason);
}

/// <summary>Generated reader and writer of the document. An unknown member is refused: rewriting the document would lose it. Stateless.</summary>
[JsonSerializable(typeof(Suspensions.Stored))]
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true, UseStringEnumConverter = true)]
internal sealed partial class SuspensionsJson : JsonSerializerContext;
