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

    /// <summary>What OpenDKIM says of the signatures that it knows (RSA): null = they are good.</summary>
    public static async Task<string?> OpenDkimAsync(byte[] content, IReadOnlyDictionary<string, string> zone)
    {
        var folder = Directory.CreateTempSubdirectory("angarium-dkim-").FullName;
        try
        {
            var (keys, contentFile, config) = (Path.Combine(folder, "keys"), Path.Combine(folder, "content"), Path.Combine(folder, "conf"));
            await File.WriteAllLinesAsync(keys, zone.Where(record => record.Value.Contains("k=rsa", StringComparison.Ordinal)).Select(record => $"{record.Key} {record.Value}"));
            await File.WriteAllTextAsync(config, $"TestPublicKeys {keys}\nMode v\nSyslog no\n");
            await File.WriteAllBytesAsync(contentFile, content);
            var (code, output) = await Child.RunAsync("/usr/sbin/opendkim", ["-x", config, "-t", contentFile], TimeSpan.FromSeconds(60));
            return code == 0 && output.Contains("verification (s=", StringComparison.Ordinal) && output.Contains("succeeded", StringComparison.Ordinal) ? null : $"{code}: {output}";
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

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
