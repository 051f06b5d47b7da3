namespace Angarium.TestKit;

/// <summary>The relay's executable that tests start: the published one that `RELAY_EXECUTABLE` names (what users run; tests/run publishes it), else the one of this build.</summary>
public static class Executable
{
    public static string Path { get; } = Find();

    private static string Find()
    {
        var here = new DirectoryInfo(AppContext.BaseDirectory);
        var path = Environment.GetEnvironmentVariable("RELAY_EXECUTABLE") ?? System.IO.Path.Combine(here.Parent!.Parent!.FullName, "Host", here.Name, "angarium");
        return File.Exists(path) ? path : throw new FileNotFoundException($"build src/Host or run tests/publish first: {path}");
    }
}
