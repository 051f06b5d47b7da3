using Angarium.Ingress.Overload;

namespace Angarium.Unit.Ingress;

/// <summary>Control groups as files: which limit counts, and what of the memory in use does.</summary>
public sealed class WorkingSetTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("angarium-cgroup-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Read_VersionTwo_LeavesOutInactivePageCache()
    {
        Group("pod/relay", ("memory.max", "1000000\n"), ("memory.current", "900000\n"), ("memory.stat", "anon 300000\nfile 600000\ninactive_file 500000\n"));
        Assert.Equal(new MemoryUse(400_000, 1_000_000), Read("0::/pod/relay"));
    }

    [Fact]
    public void Read_LessThanAnonymous_IsAnonymous()
    {
        Group("", ("memory.max", "1000000"), ("memory.current", "600000"), ("memory.stat", "anon 300000\ninactive_file 500000\n"));
        Assert.Equal(new MemoryUse(300_000, 1_000_000), Read("0::/"));
    }

    [Fact]
    public void Read_LimitOfAGroupAbove_IsTheTightestThatCounts()
    {
        Group("pod/relay", ("memory.max", "max"), ("memory.current", "100"));
        Group("pod", ("memory.max", "5000"), ("memory.current", "4000"));
        Group("", ("memory.max", "100000"), ("memory.current", "9000"));
        Assert.Equal(new MemoryUse(4_000, 5_000), Read("0::/pod/relay"));
    }

    [Fact]
    public void Read_APathThatOnlyTheHostSees_FallsBackToTheRoot()
    {
        Group("", ("memory.max", "5000"), ("memory.current", "4000"));
        Assert.Equal(new MemoryUse(4_000, 5_000), Read("0::/kubepods/burstable/pod1/2"));
    }

    [Fact]
    public void Read_VersionOne_KnowsItsNames()
    {
        Group("memory/docker/1", ("memory.limit_in_bytes", "1000000"), ("memory.usage_in_bytes", "900000"), ("memory.stat", "total_rss 300000\ntotal_inactive_file 100000\n"));
        Group("memory", ("memory.limit_in_bytes", "9223372036854771712"), ("memory.usage_in_bytes", "5000000"));
        Assert.Equal(new MemoryUse(800_000, 1_000_000), Read("4:cpu,cpuacct:/docker/1\n7:memory:/docker/1"));
    }

    [Fact]
    public void Read_NoLimitAnywhere_IsTheMachine()
    {
        Group("", ("memory.max", "max"), ("memory.current", "4000"));
        var use = Read("0::/");
        Assert.True(use.Used > 1 << 20 && use.Limit > use.Used, use.ToString());
    }

    private MemoryUse Read(string groups)
    {
        var proc = Path.Combine(_root, "self");
        File.WriteAllText(proc, groups + "\n");
        return new WorkingSet(proc, _root).Read();
    }

    private void Group(string path, params (string Name, string Text)[] files)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_root, path)).FullName;
        foreach (var (name, text) in files) File.WriteAllText(Path.Combine(folder, name), text);
    }
}
