using System.Globalization;
using System.Text;

namespace Angarium.Chaos.Accounting;

/// <summary>An append-only file of lines, its fields parted by tabs. Any thread: one write a call under a lock, given to the system before the call returns.</summary>
internal sealed class Journal(string path) : IDisposable
{
    private readonly FileStream file = new(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 0);
    private readonly Lock gate = new();

    public void Append(params object[] fields) => Append([fields]);

    public void Append(IEnumerable<IReadOnlyList<object>> lines)
    {
        var text = new StringBuilder();
        foreach (var fields in lines)
            text.AppendJoin('\t', fields.Select(f => Convert.ToString(f, CultureInfo.InvariantCulture)!.ReplaceLineEndings(" ").Replace('\t', ' '))).Append('\n');
        var octets = Encoding.UTF8.GetBytes(text.ToString());
        lock (gate) file.Write(octets);
    }

    public void Dispose() => file.Dispose();
}
