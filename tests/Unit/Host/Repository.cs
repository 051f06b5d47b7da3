namespace Angarium.Unit.Host;

/// <summary>The working copy that the tests were built from.</summary>
internal static class Repository
{
    public static string Root { get; } = Find();

    private static string Find()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Angarium.slnx"))) folder = Path.GetDirectoryName(folder) ?? throw new DirectoryNotFoundException("Angarium.slnx");
        return folder;
    }
}
