using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Angarium.Host.Cluster;

/// <summary>
/// The whole membership of a cluster, as it is stored: a heading line with the version of the format, then JSON. A value; any thread. It is stored with compare-and-swap, so what was
/// written survives a crash whole.
/// </summary>
internal sealed record MembershipDocument
{
    /// <summary>Its name among the documents.</summary>
    public const string Name = "cluster/membership";

    private const string Heading = "angarium membership ";
    private const int Format = 1;

    /// <summary>Some 400 octets a row: far above what Orleans lets gather (<see cref="ClusterTuning"/>), far below what would hurt.</summary>
    private const int MaxSize = 4 << 20;

    /// <summary>`Cluster:Id`: a document of another cluster is refused.</summary>
    public required string Cluster { get; init; }

    /// <summary>Orleans' version of the table; one more with every change of a row, other than of its time.</summary>
    public required int Version { get; init; }

    /// <summary>Drawn anew with every version: tells two histories apart that have the same version (one of them on a document that had been rolled back).</summary>
    public required string Edit { get; init; }

    public IReadOnlyList<MembershipRow> Silos { get; init; } = [];

    public static MembershipDocument Empty(string cluster) => new() { Cluster = cluster, Version = 0, Edit = DrawEdit() };

    public MembershipRow? Find(SiloAddress silo) => Silos.FirstOrDefault(row => row.Silo == silo.ToParsableString());

    /// <summary>The next version, with this row instead of the one of the same silo.</summary>
    public MembershipDocument With(MembershipRow row) =>
        this with { Version = Version + 1, Edit = DrawEdit(), Silos = [.. Silos.Where(other => other.Silo != row.Silo), row with { Changed = Version + 1 }] };

    public byte[] Encode() =>
        [.. Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Heading}{Format}\n")), .. JsonSerializer.SerializeToUtf8Bytes(this, MembershipJson.Default.MembershipDocument)];

    /// <exception cref="IOException">It is not a membership document, of a newer format, or of another cluster: one clear line, never a guess.</exception>
    public static MembershipDocument Decode(ReadOnlyMemory<byte> content, string cluster)
    {
        var bytes = content.Span;
        var end = bytes.IndexOf((byte)'\n');
        if (bytes.Length > MaxSize || end is < 0 or > 64) throw new IOException($"The document {Name} is not a membership document");
        var heading = Encoding.ASCII.GetString(bytes[..end]);
        if (!heading.StartsWith(Heading, StringComparison.Ordinal) || !int.TryParse(heading.AsSpan(Heading.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var format))
            throw new IOException($"The document {Name} is not a membership document");
        if (format != Format) throw new IOException($"The document {Name} has format {format}; this version of angarium reads {Format} only");
        MembershipDocument? document;
        try
        {
            document = JsonSerializer.Deserialize(bytes[(end + 1)..], MembershipJson.Default.MembershipDocument);
        }
        catch (JsonException malformed)
        {
            throw new IOException($"The document {Name} cannot be read: {malformed.Message}", malformed);
        }

        if (document is null) throw new IOException($"The document {Name} is empty");
        if (document.Cluster != cluster) throw new IOException($"The document {Name} belongs to the cluster {document.Cluster}; Cluster:Id is {cluster}");
        return document;
    }

    private static string DrawEdit() => Random.Shared.NextInt64().ToString("x16", CultureInfo.InvariantCulture);
}
