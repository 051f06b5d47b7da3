namespace Angarium.TestKit;

/// <summary>Where the working tree is that this build came from: the nearest folder above the binaries that holds the solution. (Caller paths are rewritten in CI builds.)</summary>
public static class Repository
{
    public static string Root { get; } = Find();

    public static string Path(params string[] parts) => System.IO.Path.Combine([Root, .. parts]);

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "Angarium.slnx"))) return folder.FullName;
        throw new InvalidOperationException($"no Angarium.slnx above {AppContext.BaseDirectory}");
    }
}
