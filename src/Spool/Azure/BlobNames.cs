using System.Globalization;

namespace Angarium.Spool.Azure;

/// <summary>The blobs `&lt;writer x16&gt;/&lt;number&gt;` of packs and streams. Pure.</summary>
internal static class BlobNames
{
    public static string Of(ulong writer, uint number) => string.Create(CultureInfo.InvariantCulture, $"{writer:x16}/{number}");

    /// <summary>False for every name that <see cref="Of"/> does not give: it is not ours.</summary>
    public static bool TryParse(string name, out ulong writer, out uint number)
    {
        number = 0;
        return ulong.TryParse(name.AsSpan(0, Math.Min(16, name.Length)), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out writer)
            && name.Length > 17 && uint.TryParse(name.AsSpan(17), NumberStyles.None, CultureInfo.InvariantCulture, out number) && Of(writer, number) == name;
    }
}
