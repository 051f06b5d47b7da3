using System.Text.Json;

namespace Angarium.Integration.Harness;

/// <summary>DKIM as others see it: dkimpy, with a zone of the test's own.</summary>
internal static class DkimVerifier
{
    private const string Script = """
        import dkim, json, sys
        zone = json.load(open(sys.argv[1]))
        content = open(sys.argv[2], 'rb').read()
        def txt(name, timeout=5):
            name = name.decode() if isinstance(name, bytes) else name
            return zone.get(name.rstrip('.').lower(), '').encode()
        signed = dkim.DKIM(content)
        count = sum(1 for name, _ in signed.headers if name.lower() == b'dkim-signature')
        print(count, sum(1 for i in range(count) if signed.verify(idx=i, dnsfunc=txt)))
        """;

    /// <summary>How many signatures there are, and how many of them are good.</summary>
    /// <param name="content">A message as it arrived.</param>
    /// <param name="zone">TXT by name.</param>
    public static async Task<(int Signatures, int Good)> VerifyAsync(byte[] content, IReadOnlyDictionary<string, string> zone)
    {
        var folder = Directory.CreateTempSubdirectory("angarium-dkim-").FullName;
        try
        {
            var (zoneFile, contentFile) = (Path.Combine(folder, "zone"), Path.Combine(folder, "content"));
            await File.WriteAllTextAsync(zoneFile, JsonSerializer.Serialize(zone));
            await File.WriteAllBytesAsync(contentFile, content);
            var (code, output) = await Child.RunAsync("/usr/bin/python3", ["-c", Script, zoneFile, contentFile], TimeSpan.FromSeconds(60));
            return code == 0 && output.Trim().Split(' ') is [var all, var good] ? (int.Parse(all), int.Parse(good)) : throw new InvalidOperationException(output);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
