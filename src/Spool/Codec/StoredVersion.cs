namespace Angarium.Spool.Codec;

/// <summary>Stored forms begin with letters and an octet for their version: one that a later build wrote is refused by name, never taken for damage or read as something else. Pure.</summary>
internal static class StoredVersion
{
    /// <summary>The version that the forms have, but where they name another.</summary>
    public const byte Known = 1;

    /// <exception cref="IOException">The form is of a later version.</exception>
    public static void Refuse(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> letters, string what, byte known = Known)
    {
        if (bytes.Length > letters.Length && bytes.StartsWith(letters) && bytes[letters.Length] > known)
            throw new IOException($"{what} is of version {bytes[letters.Length]}: a newer build wrote it, and this one reads version {known}; run the newer build");
    }
}
