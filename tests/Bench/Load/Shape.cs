namespace Angarium.Bench.Load;

/// <summary>A shape of load. Immutable.</summary>
/// <param name="Name">In tables and on the command line.</param>
/// <param name="Text">For people.</param>
internal sealed record Shape(string Name, string Text)
{
    /// <summary>Messages of one run by a relay that is fast; one that is slow gets fewer.</summary>
    public int Messages { get; init; } = 20_000;

    public int Sessions { get; init; } = 20;

    /// <summary>All messages of a session over one connection; else a connection each.</summary>
    public bool Reuse { get; init; } = true;

    /// <summary>Octets of content.</summary>
    public int Size { get; init; } = 4096;

    /// <summary>Recipient domains, taken in turn.</summary>
    public int Domains { get; init; } = 1;

    /// <summary>Recipients of each message, of one domain.</summary>
    public int Recipients { get; init; } = 1;

    /// <summary>Whether smtp-source can make it.</summary>
    public bool IsPlain => Domains == 1 && Recipients == 1;

    public static IReadOnlyList<Shape> All { get; } =
    [
        new("reuse-20", "one domain, 20 sessions, connections reused") { Messages = 30_000 },
        new("new-20", "one domain, 20 sessions, a connection each") { Reuse = false },
        new("reuse-100", "one domain, 100 sessions, connections reused") { Sessions = 100, Messages = 30_000 },
        new("new-100", "one domain, 100 sessions, a connection each") { Sessions = 100, Reuse = false },
        new("domains-10000", "10,000 domains, two messages each, 20 sessions, connections reused") { Domains = 10_000 },
        new("recipients-50", "50 recipients of one domain each") { Recipients = 50, Messages = 4_000 },
        new("size-100k", "100 KiB each") { Size = 100 << 10, Messages = 4_000 },
        new("size-10m", "10 MiB each") { Size = 10 << 20, Messages = 60 },
    ];
}
