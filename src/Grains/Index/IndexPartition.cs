using System.IO.Hashing;
using System.Text;

namespace Angarium.Grains.Index;

/// <summary>The 16-octet hash that stands for a domain in every key, and the partition that it falls in (fixed at install: a stored format). Pure.</summary>
public static class IndexPartition
{
    public static UInt128 Hash(string domain) => XxHash128.HashToUInt128(Encoding.UTF8.GetBytes(domain));

    public static int Of(string domain) => (int)(Hash(domain) & 0xff);
}
