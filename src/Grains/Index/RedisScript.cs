using System.Security.Cryptography;
using System.Text;

namespace Angarium.Grains.Index;

/// <summary>A Lua script and the SHA-1 under which Redis remembers it. A value; Redis forgets it at a restart or a SCRIPT FLUSH, and is sent the text again.</summary>
internal sealed class RedisScript(string text)
{
    public string Text { get; } = text;

#pragma warning disable CA5350 // The name of a script in Redis, no protection.
    public byte[] Hash { get; } = SHA1.HashData(Encoding.UTF8.GetBytes(text));
#pragma warning restore CA5350
}
