namespace Angarium.Mail;

/// <summary>Which container a pack is in. Numbers are stored.</summary>
public enum PackKind : byte
{
    /// <summary>Written by an ingress or for a notice: where its recipients were born.</summary>
    Birth = 0,

    /// <summary>Written by the cleaner: live entries of older packs, with their birth keys.</summary>
    Moved = 1,
}

/// <summary>The name of a stored pack of either kind. The two kinds are numbered independently.</summary>
public readonly record struct PackName(PackKind Kind, ulong Writer, uint Number)
{
    public static PackName Birth(PackId id) => new(PackKind.Birth, id.Writer, id.Number);

    public PackId Id => new(Writer, Number);

    public override string ToString() => $"{(Kind == PackKind.Birth ? "spool" : "moved")}/{Writer:x16}/{Number}";
}

/// <summary>Where an entry (one message for one domain) lies: the pack, the offset of its first octet there and its length in octets.</summary>
public readonly record struct EntryPlace(PackName Pack, uint Offset, uint Length);
