namespace Angarium.Integration.Harness;

/// <summary>A unit file of systemd, read as systemd does: names may repeat, `#` begins a comment line.</summary>
internal sealed class ServiceUnit(string path)
{
    private readonly List<(string Name, string Value)> entries = [.. File.ReadLines(path).Where(l => l.Contains('=', StringComparison.Ordinal) && l[0] != '#').Select(l => l.Split('=', 2)).Select(p => (p[0].Trim(), p[1].Trim()))];

    public string this[string name] => entries.Single(entry => entry.Name == name).Value;

    /// <summary>The calls of the kernel that it lets through, by the sets that this machine's systemd knows. Later lines take away or add to what earlier ones left.</summary>
    public async Task<HashSet<string>> AllowedCallsAsync()
    {
        var (code, listing) = await Child.RunAsync("systemd-analyze", ["--no-pager", "syscall-filter"], TimeSpan.FromSeconds(30));
        if (code != 0) throw new InvalidOperationException(listing);
        var sets = new Dictionary<string, List<string>>();
        List<string>? set = null;
        foreach (var line in listing.Split('\n').Where(l => l.Length > 0 && l.TrimStart()[0] != '#'))
        {
            if (line[0] == '@') sets[line.Trim()] = set = [];
            else if (line[0] == ' ') set?.Add(line.Trim());
        }

        var allowed = new HashSet<string>();
        foreach (var value in entries.Where(entry => entry.Name == "SystemCallFilter").Select(entry => entry.Value))
        {
            var calls = value.TrimStart('~').Split(' ', StringSplitOptions.RemoveEmptyEntries).SelectMany(Members);
            if (value[0] == '~') allowed.ExceptWith(calls);
            else allowed.UnionWith(calls);
        }

        return allowed;

        IEnumerable<string> Members(string name) => name[0] == '@' ? sets[name].SelectMany(Members) : [name];
    }
}
