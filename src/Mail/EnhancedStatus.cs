namespace Angarium.Mail;

/// <summary>An enhanced mail system status code, RFC 3463 §2: class (2, 4 or 5), subject (0 to 999) and detail (0 to 999).</summary>
public readonly record struct EnhancedStatus(byte Class, ushort Subject, ushort Detail)
{
    /// <summary>No code was given (a peer without ENHANCEDSTATUSCODES).</summary>
    public bool IsNone => Class == 0;

    public override string ToString() => IsNone ? "" : $"{Class}.{Subject}.{Detail}";
}
