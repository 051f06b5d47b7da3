using System.Collections;
using Angarium.Mail;

namespace Angarium.Spool.Packs;

/// <summary>Recipient keys with consecutive ordinals, as an entry of a birth pack has them, without an array. Immutable.</summary>
public sealed class KeyRun(PackId pack, ushort first, int count) : IReadOnlyList<RecipientKey>
{
    public int Count { get; } = count;

    public RecipientKey this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count, nameof(index));
            return pack.Recipient((ushort)(first + index));
        }
    }

    public IEnumerator<RecipientKey> GetEnumerator()
    {
        for (var i = 0; i < Count; i++) yield return this[i];
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
