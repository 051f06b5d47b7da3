namespace Angarium.Chaos.Processes;

/// <summary>What a crash of Redis takes with it.</summary>
public sealed class RedisPairTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("angarium-aof-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData(103, "first second\r\n#TS:102\r\nsecond\r\n")]
    [InlineData(102, "first second\r\n")]
    [InlineData(110, "first second\r\n#TS:102\r\nsecond\r\n#TS:103\r\nthird\r\n")]
    public void Forget_CutsAtTheLastMarkThatIsOldEnough(long until, string left)
    {
        var file = Path.Combine(Directory.CreateDirectory(Path.Combine(folder, "appendonlydir")).FullName, "appendonly.aof.1.incr.aof");
        const string Whole = "first second\r\n#TS:102\r\nsecond\r\n#TS:103\r\nthird\r\n#TS:104\r\nfourth\r\n";
        File.WriteAllText(file, Whole);
        Assert.Equal(Whole.Length - left.Length, RedisPair.Forget(folder, DateTimeOffset.FromUnixTimeSeconds(until)));
        Assert.Equal(left, File.ReadAllText(file));
    }
}
