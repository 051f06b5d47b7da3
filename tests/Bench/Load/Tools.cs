namespace Angarium.Bench.Load;

/// <summary>Where programs are that are not in everybody's path.</summary>
internal static class Tools
{
    private static readonly string[] s_folders = [.. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':'), "/usr/sbin", "/usr/lib/postfix/sbin"];

    public static string Path(string name) =>
        s_folders.Select(folder => System.IO.Path.Combine(folder, name)).FirstOrDefault(File.Exists) ?? throw new FileNotFoundException($"{name} is not installed: run tests/run once, it installs what this needs");
}
