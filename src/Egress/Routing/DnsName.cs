namespace Angarium.Egress.Routing;

/// <summary>Host names as the wire may show them (RFC 1123 §2.1, with underscore, which exists). What DNS or people give in another form is no name. Pure.</summary>
internal static class DnsName
{
    /// <summary>Lower case without the root's dot; null when it is not a host name of at most 253 octets with labels of 1 to 63.</summary>
    public static string? Normalize(ReadOnlySpan<char> name)
    {
        if (name.EndsWith(".")) name = name[..^1];
        if (name.Length is 0 or > 253) return null;
        var label = 0;
        foreach (var c in name)
        {
            if (c == '.')
            {
                if (label == 0) return null;
                label = 0;
            }
            else if (!(char.IsAsciiLetterOrDigit(c) || c is '-' or '_') || ++label > 63)
            {
                return null;
            }
        }

        return label == 0 ? null : string.Create(name.Length, name, static (to, from) => from.ToLowerInvariant(to));
    }
}
