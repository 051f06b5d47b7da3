using System.Text;

namespace Angarium.Mail.Status;

/// <summary>The DSN parameters of MAIL and RCPT as text, RFC 3461 §4: read from and written to the wire. Pure.</summary>
public static class DsnParameters
{
    /// <summary>RFC 3461 §4.4.</summary>
    public const int MaxEnvelopeId = 100;

    /// <summary>RFC 3461 §4.2.</summary>
    public const int MaxOriginalRecipient = 500;

    public static bool TryParseReturn(ReadOnlySpan<char> value, out DsnReturn result)
    {
        result = value.Equals("FULL", StringComparison.OrdinalIgnoreCase) ? DsnReturn.Full
            : value.Equals("HDRS", StringComparison.OrdinalIgnoreCase) ? DsnReturn.Headers : DsnReturn.Unspecified;
        return result != DsnReturn.Unspecified;
    }

    public static string? Format(DsnReturn value) => value switch { DsnReturn.Full => "FULL", DsnReturn.Headers => "HDRS", _ => null };

    /// <summary>RFC 3461 §4.1: NEVER alone, or a list of SUCCESS, FAILURE and DELAY.</summary>
    public static bool TryParseNotify(ReadOnlySpan<char> value, out DsnNotify result)
    {
        result = DsnNotify.Unspecified;
        foreach (var range in value.Split(','))
        {
            var word = value[range];
            var one = word.Equals("NEVER", StringComparison.OrdinalIgnoreCase) ? DsnNotify.Never
                : word.Equals("SUCCESS", StringComparison.OrdinalIgnoreCase) ? DsnNotify.Success
                : word.Equals("FAILURE", StringComparison.OrdinalIgnoreCase) ? DsnNotify.Failure
                : word.Equals("DELAY", StringComparison.OrdinalIgnoreCase) ? DsnNotify.Delay : DsnNotify.Unspecified;
            if (one == DsnNotify.Unspecified || (result & one) != 0) return false;
            result |= one;
        }

        return result == DsnNotify.Never || (result & DsnNotify.Never) == 0;
    }

    public static string? Format(DsnNotify value)
    {
        if (value == DsnNotify.Unspecified) return null;
        if ((value & DsnNotify.Never) != 0) return "NEVER";
        var text = new StringBuilder(22);
        if ((value & DsnNotify.Success) != 0) text.Append("SUCCESS,");
        if ((value & DsnNotify.Failure) != 0) text.Append("FAILURE,");
        if ((value & DsnNotify.Delay) != 0) text.Append("DELAY,");
        return text.ToString(0, text.Length - 1);
    }

    /// <summary>An ENVID as it came: xtext of printable ASCII (RFC 3461 §4.4).</summary>
    public static bool IsEnvelopeId(ReadOnlySpan<char> xtext) => xtext.Length is > 0 and <= MaxEnvelopeId && Xtext.Decode(xtext) is not null;

    /// <summary>An ORCPT as it came: `type;xtext` (RFC 3461 §4.2), or `utf-8;` and one of the forms of RFC 6533 §3.</summary>
    public static bool TryParseOriginalRecipient(ReadOnlySpan<char> value, out string type, out string address)
    {
        type = address = "";
        var semicolon = value.IndexOf(';');
        if (semicolon < 1 || semicolon == value.Length - 1 || value.Length > MaxOriginalRecipient) return false;
        var addressType = value[..semicolon];
        foreach (var c in addressType)
            if (!char.IsAsciiLetterOrDigit(c) && c != '-') return false;
        var encoded = value[(semicolon + 1)..];
        var decoded = addressType.Equals("utf-8", StringComparison.OrdinalIgnoreCase) ? Xtext.DecodeUtf8Address(encoded) : Xtext.Decode(encoded);
        if (decoded is null) return false;
        type = addressType.ToString().ToLowerInvariant();
        address = decoded;
        return true;
    }
}
