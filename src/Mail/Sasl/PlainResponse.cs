using System.Text;

namespace Angarium.Mail.Sasl;

/// <summary>The one message of PLAIN, RFC 4616 §2: [authzid] NUL authcid NUL passwd. Immutable; pure.</summary>
/// <param name="User">Whose password it is.</param>
public sealed record PlainResponse(string User, string Password)
{
    /// <summary>RFC 4616 §2.</summary>
    public const int MaxPart = 255;

    /// <summary>Null = it is none, or acts for another: nobody may.</summary>
    public static PlainResponse? Parse(ReadOnlySpan<byte> message)
    {
        if (!Utf8.TryRead(message, out var text) || text.Split('\0') is not [var actsFor, { Length: > 0 and <= MaxPart } user, { Length: > 0 and <= MaxPart } password]) return null;
        return actsFor.Length == 0 || actsFor == user ? new PlainResponse(user, password) : null;
    }

    /// <summary>A name or a password alone, as LOGIN sends them.</summary>
    public static bool TryPart(ReadOnlySpan<byte> octets, out string part) => Utf8.TryRead(octets, out part) && part.Length is > 0 and <= MaxPart && !part.Contains('\0');
}

/// <summary>Strict UTF-8. Pure.</summary>
internal static class Utf8
{
    private static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static bool TryRead(ReadOnlySpan<byte> octets, out string text)
    {
        text = "";
        if (!System.Text.Unicode.Utf8.IsValid(octets)) return false;
        text = s_strict.GetString(octets);
        return true;
    }
}
