using Angarium.Mail;

namespace Angarium.Spool.Packs;

/// <summary>One row of a pack's table of contents: one message for one domain.</summary>
public sealed record PackEntry
{
    /// <summary>The queue domain: A-label in lower case, or an address literal.</summary>
    public required string Domain { get; init; }

    public required string Tenant { get; init; }

    public MessageClass Class { get; init; }

    /// <summary>Where the entry lies in its pack. (Its content may be a reference to that of an earlier entry.)</summary>
    public uint Offset { get; init; }

    public uint Length { get; init; }

    /// <summary>Where it lay in its birth pack, which the index knows it by: here, in a birth pack; named, in a moved one.</summary>
    public uint BirthOffset { get; init; }

    public uint BirthLength { get; init; }

    /// <summary>Octets that a receiver gets, trace fields included.</summary>
    public long ContentLength { get; init; }

    /// <summary>Birth keys of the recipients. In a birth pack: consecutive ordinals.</summary>
    public required IReadOnlyList<RecipientKey> Keys { get; init; }

    /// <summary>When the message was accepted.</summary>
    public StoreTime Born { get; init; }

    public StoreTime NotBefore { get; init; }

    /// <summary>Id of the message, whose first recipient may be in another entry.</summary>
    public MessageId Message { get; init; }
}

/// <summary>Header and table of contents of a stored pack.</summary>
public sealed record PackToc
{
    public required PackName Name { get; init; }

    /// <summary>When its creation began, on the store's clock.</summary>
    public StoreTime Created { get; init; }

    public required IReadOnlyList<PackEntry> Entries { get; init; }

    /// <summary>Moved packs: the packs whose live entries it holds.</summary>
    public IReadOnlyList<PackName> Sources { get; init; } = [];

    /// <summary>Moved packs: the ledger positions at which its entries were found unfinished (design rule 10).</summary>
    public IReadOnlyList<Ledger.LedgerPosition> Positions { get; init; } = [];
}
