namespace Angarium.Mail;

/// <summary>The name of a birth pack: a writer's random id and its running number from 1 (design rule 1). Never used twice.</summary>
public readonly record struct PackId(ulong Writer, uint Number) : IComparable<PackId>
{
    public RecipientKey Recipient(ushort ordinal) => new(Writer, Number, ordinal);

    public int CompareTo(PackId other) => Writer != other.Writer ? Writer.CompareTo(other.Writer) : Number.CompareTo(other.Number);

    public override string ToString() => $"{Writer:x16}/{Number}";
}
