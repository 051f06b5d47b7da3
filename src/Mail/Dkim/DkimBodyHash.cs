using System.Buffers;
using System.Security.Cryptography;

namespace Angarium.Mail.Dkim;

/// <summary>
/// The hash of a body in relaxed form, RFC 6376 §3.4.4, from parts split anywhere: white space at the ends of lines goes, within them it becomes one space, and empty lines at the end of the
/// body go. One per message, on one thread; holds a kilobyte, whatever the size of the body.
/// </summary>
public sealed class DkimBodyHash : IDisposable
{
    private static readonly SearchValues<byte> s_special = SearchValues.Create(" \t\r"u8);

    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly byte[] _output = new byte[1024];
    private int _count;

    /// <summary>Ends of lines behind the last octet: they count only when something follows.</summary>
    private long _lineEnds;
    private bool _space, _cr, _isEmpty = true;

    public void Append(ReadOnlySpan<byte> body)
    {
        while (!body.IsEmpty)
        {
            if (_cr)
            {
                _cr = false;
                if (body[0] == (byte)'\n')
                {
                    (_space, _lineEnds) = (false, _lineEnds + 1);
                    body = body[1..];
                }
                else
                {
                    Octets("\r"u8);
                }

                continue;
            }

            var plain = body.IndexOfAny(s_special);
            if (plain != 0)
            {
                var octets = plain < 0 ? body : body[..plain];
                Octets(octets);
                body = body[octets.Length..];
                continue;
            }

            if (body[0] == (byte)'\r') _cr = true;
            else _space = true;
            body = body[1..];
        }
    }

    /// <summary>The end of the body: writes the 32 octets of its hash, and begins the next.</summary>
    public void Finish(Span<byte> hash)
    {
        if (_cr) Octets("\r"u8);
        // A last line without its end gets one; a body of nothing but empty lines is none (RFC 6376 §3.4.4).
        if (!_isEmpty) Put("\r\n"u8);
        _hash.AppendData(_output.AsSpan(0, _count));
        _hash.GetHashAndReset(hash);
        (_count, _lineEnds, _space, _cr, _isEmpty) = (0, 0, false, false, true);
    }

    public void Dispose() => _hash.Dispose();

    private void Octets(ReadOnlySpan<byte> octets)
    {
        for (; _lineEnds > 0; _lineEnds--) Put("\r\n"u8);
        if (_space) Put(" "u8);
        (_space, _isEmpty) = (false, false);
        Put(octets);
    }

    private void Put(ReadOnlySpan<byte> octets)
    {
        if (octets.Length > _output.Length - _count)
        {
            _hash.AppendData(_output.AsSpan(0, _count));
            _count = 0;
            if (octets.Length > _output.Length)
            {
                _hash.AppendData(octets);
                return;
            }
        }

        octets.CopyTo(_output.AsSpan(_count));
        _count += octets.Length;
    }
}
