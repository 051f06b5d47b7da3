using Angarium.Host.Configuration;

namespace Angarium.Unit.Host;

public sealed class LiveSettingsTests : IDisposable
{
    private static readonly SettingCatalog s_catalog = new([typeof(TestOptions)]);
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    private LiveSettings Start(string json)
    {
        File.WriteAllText(_file, json);
        var sources = Sources();
        var values = sources.Read();
        return new LiveSettings(s_catalog, sources, SettingBinder.Bind(s_catalog, values));
    }

    // The machine's name is a default of its own in every source, and no setting of the test's records.
    private SettingSources Sources() => new() { Development = false, File = _file };

    [Fact]
    public void Reload_ChangedFile_TakesOverWhatReloads()
    {
        using var live = Start("""{ "Test": { "Count": 1, "Size": 5, "Routes": { "a.example": "x" } } }""");
        var settings = live.Of<TestOptions>();
        var told = new List<int>();
        using var subscription = settings.OnChange(record => told.Add(record.Count));

        File.WriteAllText(_file, """{ "Test": { "Count": 2, "Size": 6, "Routes": { "b.example": "y" } } }""");
        Assert.True(live.Reload());

        Assert.Equal(2, settings.Current.Count);
        Assert.Equal("y", settings.Current.Routes["b.example"]);
        Assert.Equal(5, settings.Current.Size);
        Assert.Equal([2], told);
    }

    [Fact]
    public void Reload_BadFile_KeepsTheOld()
    {
        using var live = Start("""{ "Test": { "Count": 1 } }""");
        File.WriteAllText(_file, """{ "Test": { "Count": 99 } }""");
        Assert.False(live.Reload());
        Assert.Equal(1, live.Of<TestOptions>().Current.Count);
        File.WriteAllText(_file, "{");
        Assert.False(live.Reload());
        Assert.Equal(1, live.Of<TestOptions>().Current.Count);
    }

    [Fact]
    public void Reload_NothingChanged_TellsNobody()
    {
        using var live = Start("""{ "Test": { "Names": "a,b" } }""");
        using var subscription = live.Of<TestOptions>().OnChange(_ => Assert.Fail("nothing changed"));
        Assert.True(live.Reload());
    }

    [Fact]
    public void OnChange_Disposed_IsNotTold()
    {
        using var live = Start("{}");
        live.Of<TestOptions>().OnChange(_ => Assert.Fail("was disposed")).Dispose();
        File.WriteAllText(_file, """{ "Test": { "Count": 2 } }""");
        Assert.True(live.Reload());
        Assert.Equal(2, live.Of<TestOptions>().Current.Count);
    }
}
