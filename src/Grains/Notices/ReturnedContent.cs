using Angarium.Spool.Packs;

namespace Angarium.Grains.Notices;

/// <summary>What of the original goes back with a notice, bounded. A value; made within one call.</summary>
internal sealed record ReturnedContent(byte[] Octets, bool IsFull)
{
    private const int MaxFull = 50 * 1024;
    private const int MaxHeaders = 16 * 1024;

    /// <summary>Null = the content is damaged: the notice goes without it (RFC 6522 §3: the third part is optional).</summary>
    public static async Task<ReturnedContent?> ReadAsync(SpooledEntry entry, bool full, CancellationToken cancellationToken)
    {
        full = full && entry.ContentLength <= MaxFull;
        var limit = full ? MaxFull : MaxHeaders;
        using var octets = new MemoryStream();
        try
        {
            // A whole one is read to the empty part behind its end, which comes only after the checksum was judged.
            while (full || octets.Length < limit)
            {
                var part = await entry.ReadAsync(cancellationToken);
                if (part.IsEmpty) break;
                octets.Write(part.Span[..(int)Math.Min(part.Length, limit - octets.Length)]);
                if (!full && octets.GetBuffer().AsSpan(0, (int)octets.Length).IndexOf("\r\n\r\n"u8) >= 0) break;
            }
        }
        catch (InvalidDataException)
        {
            return null;
        }

        return new ReturnedContent(full ? octets.ToArray() : Headers(octets.ToArray()), full);
    }

    /// <summary>The header section alone, whole lines of it.</summary>
    private static byte[] Headers(ReadOnlySpan<byte> octets)
    {
        if (octets.StartsWith("\r\n"u8)) return [];
        var end = octets.IndexOf("\r\n\r\n"u8);
        if (end < 0) end = octets.LastIndexOf("\r\n"u8);
        return end < 0 ? [] : octets[..(end + 2)].ToArray();
    }
}
