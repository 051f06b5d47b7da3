namespace Angarium.Spool.Packs;

/// <summary>
/// The stored form of a pack, version 1; all numbers big endian. Header (72 octets), table of contents, then for each entry a record (envelope, trace) and,
/// where it is the first entry of its message, the body; or, when one large message travels alone, all records and then its body.
/// Header, table and records carry checksums of their own; a record carries that of its body, so a body can be streamed and judged at its end.
/// </summary>
internal static class PackFormat
{
    /// <summary>"ANGPACK" and the version.</summary>
    public const ulong Magic = 0x414e475041434b01;

    public static ReadOnlySpan<byte> Letters => "ANGPACK"u8;

    public static ReadOnlySpan<byte> EntryLetters => "ENT"u8;

    /// <summary>"ENT" and the version: the first, and the one whose envelope says more (a return tag, labels). What needs the second alone has it.</summary>
    public const uint EntryMagic = 0x454e5401, LaterEntryMagic = 0x454e5402;

    /// <summary>The last version of entries that is known.</summary>
    public const byte EntryVersion = 2;

    /// <summary>Magic 8, kind 1, zero 3, writer 8, number 4, created 8, entries 4, length of the table 4, length of the pack 8, zero 8, checksum of the table 8, of the header 8.</summary>
    public const int HeaderSize = 72;

    /// <summary>A pack closes at this size (design rule 2).</summary>
    public const int BirthSize = 4 << 20;

    /// <summary>Largest moved pack, but for a large message alone.</summary>
    public const int MovedSize = 64 << 20;

    /// <summary>A pack closes at this many recipients (design rule 2): an ordinal has 16 bits.</summary>
    public const int MaxRecipients = 60_000;

    /// <summary>Largest table of contents and largest record that is believed.</summary>
    public const int MaxTable = 64 << 20;

    /// <summary>Octets of a record before its variable part: magic 4, length 4, body's offset 8, length 8, checksum 8, flags 1.</summary>
    public const int RecordHeadSize = 33;
}
