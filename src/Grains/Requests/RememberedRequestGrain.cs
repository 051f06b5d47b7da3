using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Angarium.Contracts.Requests;
using Angarium.Grains.Tenants;
using Angarium.Mail;
using Angarium.Spool.Documents;
using Angarium.Spool.Time;
using Orleans.Placement;

namespace Angarium.Grains.Requests;

/// <summary>
/// Remembers one request for a day: while it runs in memory (a crash meanwhile leaves it to whoever sends it again), its answer in a document, sealed, for an answer may hold what is shown once.
/// On its turns.
/// </summary>
[GrainType("remembered-request"), RandomPlacement]
internal sealed class RememberedRequestGrain(IDocumentStore documents, IStoreClock clock, RequestSeal seal) : Grain, IRememberedRequest
{
    public static readonly TimeSpan Lasts = TimeSpan.FromHours(24);

    /// <summary>Nobody has said what came of it for so long: it may be begun anew.</summary>
    private static readonly TimeSpan s_runs = TimeSpan.FromMinutes(2);

    private byte[]? _digest;
    private RememberedAnswer? _answer;
    private StoreTime _at;
    private long _ticket;

    /// <summary>The document has all of it: what is over needs no memory.</summary>
    private bool _isStored;

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        var now = clock.Now;
        foreach (var day in new[] { now, now - TimeSpan.FromDays(1) })
        {
            if (await documents.ReadAsync(RememberedRequests.Name(day, this.GetPrimaryKeyString()), cancellationToken) is not { } document) continue;
            if (JsonSerializer.Deserialize(document.Content.Span, RequestJson.Default.StoredRequest) is not { Version: StoredRequest.Format } stored || seal.Open(stored.Sealed, this.GetPrimaryKeyString()) is not { } body) return;
            (_digest, _at) = (stored.Digest, new StoreTime(stored.At));
            _isStored = true;
            _answer = new RememberedAnswer { Status = stored.Status, ContentType = stored.ContentType, Body = body };
            return;
        }
    }

    public Task<RequestMemory> Begin(byte[] digest)
    {
        var now = clock.Now;
        if (_digest is not null && now - _at < (_answer is null ? s_runs : Lasts))
        {
            if (_isStored) DeactivateOnIdle();
            if (!CryptographicOperations.FixedTimeEquals(_digest, digest)) return Task.FromResult(new RequestMemory { Standing = RequestStanding.Other });
            return Task.FromResult(_answer is null ? new RequestMemory { Standing = RequestStanding.Running } : new RequestMemory { Standing = RequestStanding.Done, Answer = _answer });
        }

        (_digest, _answer, _isStored, _at, _ticket) = (digest, null, false, now, Random.Shared.NextInt64(1, long.MaxValue));
        return Task.FromResult(new RequestMemory { Standing = RequestStanding.New, Ticket = _ticket });
    }

    public async Task Complete(long ticket, RememberedAnswer answer)
    {
        if (ticket != _ticket || _digest is null) return;
        (_answer, _at) = (answer, clock.Now);
        var stored = new StoredRequest(StoredRequest.Format, _digest, _at.Milliseconds, answer.Status, answer.ContentType, seal.Close(answer.Body, this.GetPrimaryKeyString()));
        await documents.WriteAsync(RememberedRequests.Name(_at, this.GetPrimaryKeyString()), JsonSerializer.SerializeToUtf8Bytes(stored, RequestJson.Default.StoredRequest), null, CancellationToken.None);
        _isStored = true;
        DeactivateOnIdle();
    }

    public Task GiveUp(long ticket)
    {
        if (ticket == _ticket) _digest = null;
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    /// <summary>The document as stored.</summary>
    internal sealed record StoredRequest(int Version, byte[] Digest, long At, int Status, string ContentType, byte[] Sealed)
    {
        public const int Format = 1;
    }
}

/// <summary>Seals answers: with `Keys:Master`, or without one with a key of this process, whose answers are then nobody's after it. Any thread.</summary>
internal sealed class RequestSeal(MasterKey? master) : IDisposable
{
    private readonly MasterKey _key = new(master?.Derive("requests") ?? RandomNumberGenerator.GetBytes(MasterKey.Size));

    public byte[] Close(byte[] body, string name) => _key.Seal(body, name);

    /// <summary>Null = another key closed it.</summary>
    public byte[]? Open(byte[] whole, string name)
    {
        try
        {
            return _key.Open(whole, name);
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }

    public void Dispose() => _key.Dispose();
}

/// <summary>The documents of remembered requests: by day, so that what is over is found by its name. No state.</summary>
internal static class RememberedRequests
{
    public const string Prefix = "requests/";

    public static string Name(StoreTime day, string key) => $"{Prefix}{Day(day)}/{key}";

    /// <summary>Deletes those of the days before yesterday.</summary>
    public static async Task TidyAsync(IDocumentStore documents, StoreTime now, CancellationToken cancellationToken)
    {
        var oldest = Day(now - TimeSpan.FromDays(1));
        foreach (var name in (await documents.ListAsync(Prefix, cancellationToken)).Where(name => string.CompareOrdinal(name, Prefix.Length, oldest, 0, oldest.Length) < 0))
            await documents.DeleteAsync(name, cancellationToken);
    }

    private static string Day(StoreTime time) => time.ToDateTimeOffset().ToString("yyyyMMdd", CultureInfo.InvariantCulture);
}

/// <summary>Generated reader and writer of the document. Stateless.</summary>
[JsonSerializable(typeof(RememberedRequestGrain.StoredRequest))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
internal sealed partial class RequestJson : JsonSerializerContext;
