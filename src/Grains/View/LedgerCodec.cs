using Angarium.Spool.Ledger;

namespace Angarium.Grains.View;

/// <summary>How the view reads and writes records: the spool's own block format.</summary>
/// <param name="Decode">Whole blocks, back to back, to records.</param>
/// <param name="Encode">Records to blocks.</param>
internal sealed record LedgerCodec(Func<ReadOnlyMemory<byte>, IEnumerable<LedgerRecord>> Decode, Func<IReadOnlyList<LedgerRecord>, byte[]> Encode);
