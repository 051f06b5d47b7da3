using Angarium.Spool.Ledger;

namespace Angarium.Grains.View;

/// <summary>Decodes whole blocks of a stream, back to back: the spool's own format.</summary>
internal delegate (IEnumerable<LedgerRecord> Records, int Damaged) DecodeLedger(ReadOnlyMemory<byte> blocks);
