using Angarium.Host.Configuration;

namespace Angarium.Unit.Host;

public sealed class SettingBinderTests
{
    private static readonly SettingCatalog s_catalog = new([typeof(TestOptions)]);

    private static BoundSettings Bind(params (string Name, string Text)[] values)
    {
        var read = new SettingValues();
        foreach (var (name, text) in values) read.Set(name, text, "test");
        return SettingBinder.Bind(s_catalog, read);
    }

    private static TestOptions Record(params (string Name, string Text)[] values)
    {
        var bound = Bind(values);
        Assert.Empty(bound.Mistakes);
        return bound.Get<TestOptions>();
    }

    private static string Mistake(params (string Name, string Text)[] values) => Assert.Single(Bind(values).Mistakes);

    [Fact]
    public void Bind_EveryType_TakesTheValue()
    {
        var record = Record(
            ("test:text", " hello "), ("Test:Flag", "TRUE"), ("Test:Count", "7"), ("Test:Size", "9999999999"), ("Test:Ratio", "0.5"), ("Test:Wait", "90s"),
            ("Test:Flavour", "sour"), ("Test:Names", "a, b,,c "), ("Test:Schedule", "500ms,5m,1.5h,2d"), ("Test:Limit", "4"),
            ("Test:Routes:example.com", "host:25"), ("Test:Routes:*.Example.org", "[::1]:26"));
        Assert.Equal("hello", record.Text);
        Assert.True(record.Flag);
        Assert.Equal(7, record.Count);
        Assert.Equal(9_999_999_999, record.Size);
        Assert.Equal(0.5, record.Ratio);
        Assert.Equal(TimeSpan.FromSeconds(90), record.Wait);
        Assert.Equal(Flavour.Sour, record.Flavour);
        Assert.Equal(["a", "b", "c"], record.Names);
        Assert.Equal([TimeSpan.FromMilliseconds(500), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(90), TimeSpan.FromDays(2)], record.Schedule);
        Assert.Equal(4, record.Limit);
        Assert.Equal("host:25", record.Routes["example.com"]);
        Assert.Equal("[::1]:26", record.Routes["*.example.org"]);
    }

    [Fact]
    public void Bind_Nothing_KeepsTheDefaults() => Assert.Equal(new TestOptions().Wait, Record().Wait);

    [Fact]
    public void Bind_EmptyText_MeansTheDefault() => Assert.Equal(3, Record(("Test:Count", " ")).Count);

    [Theory]
    [InlineData("Test:Flag", "yes", "Test:Flag: `yes` is not `true` or `false` (in test).")]
    [InlineData("Test:Count", "x", "Test:Count: `x` is not a whole number such as `100` (in test).")]
    [InlineData("Test:Count", "99999999999", "Test:Count: `99999999999` is not a number that fits (in test).")]
    [InlineData("Test:Count", "11", "Test:Count: `11` is out of range (in test); it must be between 1 and 10.")]
    [InlineData("Test:Size", "-1", "Test:Size: `-1` is out of range (in test); it must be at least 0.")]
    [InlineData("Test:Ratio", "NaN", "Test:Ratio: `NaN` is not a number such as `0.2` (in test).")]
    [InlineData("Test:Wait", "5", "Test:Wait: `5` is not a duration: a number with `ms`, `s`, `m`, `h` or `d`, such as `30s` (in test).")]
    [InlineData("Test:Wait", "5 weeks", "Test:Wait: `5 weeks` is not a duration: a number with `ms`, `s`, `m`, `h` or `d`, such as `30s` (in test).")]
    [InlineData("Test:Wait", "2h", "Test:Wait: `2h` is out of range (in test); it must be between 1s and 1h.")]
    [InlineData("Test:Wait", "99999999999d", "Test:Wait: `99999999999d` is not a duration: a number with `ms`, `s`, `m`, `h` or `d`, such as `30s` (in test).")]
    [InlineData("Test:Flavour", "1", "Test:Flavour: `1` is not one of `sweet`, `sour` (in test).")]
    [InlineData("Test:Schedule", "5m,soon", "Test:Schedule: `5m,soon` is not durations with commas between them, such as `5m,10m,1h` (in test).")]
    [InlineData("Test:Text", "wrong", "Test:Text: must not be wrong; say right.")]
    [InlineData("Test:Cuont", "1", "Test:Cuont: there is no such setting (in test); did you mean `Test:Count`?")]
    [InlineData("Count", "1", "Count: there is no such setting (in test); did you mean `Test:Count`?")]
    [InlineData("Nothing:Like:It:At:All", "1", "Nothing:Like:It:At:All: there is no such setting (in test); `angarium settings` lists all.")]
    [InlineData("Test:Routes", "a", "Test:Routes: there is no such setting (in test); did you mean `Test:Routes:*`?")]
    public void Bind_Mistake_SaysWhatAndHow(string name, string text, string line) => Assert.Equal(line, Mistake((name, text)));

    [Fact]
    public void Bind_SeveralMistakes_TellsThemAll() => Assert.Equal(3, Bind(("Test:Flag", "yes"), ("Test:Count", "x"), ("Test:Other", "1")).Mistakes.Count);

    [Fact]
    public void Bind_MistakeInASecret_DoesNotShowIt()
    {
        var catalog = new SettingCatalog([typeof(SecretNumber)]);
        var values = new SettingValues();
        values.Set("Secret:Number", "hunter2", "test");
        Assert.DoesNotContain("hunter2", Assert.Single(SettingBinder.Bind(catalog, values).Mistakes), StringComparison.Ordinal);
    }

    public sealed record SecretNumber
    {
        [Angarium.Contracts.Configuration.Setting("Secret:Number", "A secret number.", Secret = true)]
        public int Number { get; init; }
    }
}
