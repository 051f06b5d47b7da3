using Angarium.Mail;

namespace Angarium.Spool.Files;

/// <summary>One segment file and what is known of it in memory. Owned by <see cref="FilePackStore"/>; mutable members are under its lock.</summary>
internal sealed class Segment(PackKind kind, ulong writer, uint number, string path, ulong nonce)
{
    public PackKind Kind { get; } = kind;

    public ulong Writer { get; } = writer;

    public uint Number { get; } = number;

    public string Path { get; } = path;

    public ulong Nonce { get; } = nonce;

    /// <summary>The rows of a segment without a footer, kept beside it after it was scanned once.</summary>
    public string IndexPath { get; } = System.IO.Path.ChangeExtension(path, ".idx");

    /// <summary>Numbers of deleted packs, so that they are not listed again after a restart. Losing it is harmless.</summary>
    public string DeletionsPath { get; } = System.IO.Path.ChangeExtension(path, ".del");

    /// <summary>Rows for the footer, while the segment is written.</summary>
    public List<SegmentRow> Rows { get; } = [];

    /// <summary>Where the next frame goes.</summary>
    public long Length { get; set; }

    /// <summary>Octets of all its packs, the deleted ones too.</summary>
    public long Packed { get; set; }

    /// <summary>Packs in it that exist.</summary>
    public int Live { get; set; }

    /// <summary>Nothing is ever written to it again: it may be unlinked when no pack in it exists.</summary>
    public bool IsClosed { get; set; }

    public bool IsUnlinked { get; set; }

    public IStoredFile? File { get; set; }

    public IStoredFile? Deletions { get; set; }

    public long Opened { get; set; }
}
