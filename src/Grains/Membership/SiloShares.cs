using System.IO.Hashing;
using System.Text;
using Angarium.Mail;

namespace Angarium.Grains.Membership;

/// <summary>Rendezvous hashing: an item is of the silo whose hash with it is greatest, so that a silo that goes or comes moves no others' items. Immutable.</summary>
internal sealed class SiloShares
{
    private readonly ulong _own;
    private readonly ulong[] _others;

    /// <param name="own">Counts whether it is in <paramref name="silos"/> or not.</param>
    /// <param name="silos">The living ones.</param>
    public SiloShares(string own, IEnumerable<string> silos) => (_own, _others) = (Hash(own), [.. silos.Where(s => s != own).Select(Hash)]);

    public bool IsMine(ulong item)
    {
        var own = Mix(_own ^ item);
        foreach (var other in _others)
        {
            if (Mix(other ^ item) > own) return false;
        }

        return true;
    }

    /// <summary>The item that a pack is.</summary>
    public static ulong Item(PackName pack) => Mix(Mix(pack.Writer) + ((ulong)pack.Number << 1 | (ulong)pack.Kind));

    private static ulong Hash(string silo) => XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(silo));

    // The finalizer of SplitMix64: each bit of the input changes half of the output.
    private static ulong Mix(ulong x)
    {
        x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
        x = (x ^ x >> 27) * 0x94d049bb133111eb;
        return x ^ x >> 31;
    }
}
