namespace Angarium.Host.Sink;

/// <summary>A message as the sink received it. Immutable; in memory only.</summary>
internal sealed record SinkMessage
{
    public required long Id { get; init; }

    public required DateTimeOffset Received { get; init; }

    /// <summary>What the client said in HELO or EHLO.</summary>
    public required string Client { get; init; }

    public required string ReversePath { get; init; }

    public required IReadOnlyList<string> Recipients { get; init; }

    /// <summary>Headers and body, dots removed, CRLF lines.</summary>
    public required ReadOnlyMemory<byte> Content { get; init; }
}
