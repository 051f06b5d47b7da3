namespace Angarium.Contracts.Requests;

/// <summary>
/// A request over HTTP that names itself (`Idempotency-Key`): sent again within 24 hours it is answered as the first time, and not carried out again. Key: a digest of who asks, what for, and the
/// name. Roles: ingress, api.
/// </summary>
[Alias("angarium.IRememberedRequest")]
public interface IRememberedRequest : IGrainWithStringKey
{
    /// <param name="digest">Of the request's content: the same name with another content is a mistake.</param>
    [Alias("Begin")]
    Task<RequestMemory> Begin(byte[] digest);

    /// <summary>What was answered. Durable once this returns.</summary>
    [Alias("Complete")]
    Task Complete(long ticket, RememberedAnswer answer);

    /// <summary>It was not carried out: whoever sends it again begins anew.</summary>
    [Alias("GiveUp")]
    Task GiveUp(long ticket);
}

/// <summary>How a request stands. Numbers cross the wire.</summary>
public enum RequestStanding : byte
{
    /// <summary>Carry it out, and say what came of it.</summary>
    New = 1,

    /// <summary>It was carried out, and this was the answer.</summary>
    Done = 2,

    /// <summary>Another request bears this name.</summary>
    Other = 3,

    /// <summary>It is being carried out.</summary>
    Running = 4,
}

/// <summary>What is remembered of a request. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.RequestMemory")]
public sealed record RequestMemory
{
    [Id(0)] public RequestStanding Standing { get; init; }

    /// <summary>New: what to complete it with.</summary>
    [Id(1)] public long Ticket { get; init; }

    [Id(2)] public RememberedAnswer? Answer { get; init; }
}

/// <summary>An answer over HTTP. A value; may hold what is shown once.</summary>
[GenerateSerializer, Immutable, Alias("angarium.RememberedAnswer")]
public sealed record RememberedAnswer
{
    [Id(0)] public int Status { get; init; }

    [Id(1)] public string ContentType { get; init; } = "";

    [Id(2)] public byte[] Body { get; init; } = [];

    public override string ToString() => $"{Status}, {Body.Length} octets";
}
