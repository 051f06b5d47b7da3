namespace Angarium.Spool.Documents;

/// <summary>What may name a document, the same for every provider. Pure.</summary>
internal static class DocumentName
{
    /// <exception cref="ArgumentException"/>
    public static void Check(string name)
    {
        if (name.Length is 0 or > 200) throw new ArgumentException($"`{name}` cannot name a document", nameof(name));
        foreach (var part in name.Split('/'))
        {
            if (part.Length == 0 || part[0] == '.' || !part.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '.' or '-' or '_'))
                throw new ArgumentException($"`{name}` cannot name a document: lower-case letters, digits, `.`, `-`, `_` and `/` can", nameof(name));
        }
    }
}
