using Angarium.Mail;
using Angarium.Spool;
using Angarium.Spool.Files;
using Angarium.Spool.Packs;
using Angarium.TestKit.Peers;
using Angarium.TestKit.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Spool;

/// <summary>`Spool:MinFree` as it is by default, a tenth of the disk: with 11 % free new mail is stored, with 9 % it is not.</summary>
public sealed class FreeSpaceTests : IDisposable
{
    private const long Total = 1_000_000_000_000;

    private readonly string _data = Directory.CreateTempSubdirectory("angarium-test-").FullName;
    private readonly VolatileFileSystem _files = new(new Random(1));
    private readonly FakeTimeProvider _time = new();
    private readonly FreeSpace _space;

    public FreeSpaceTests()
    {
        Assert.True(MinFree.TryParse(new SpoolOptions().MinFree, out var least));
        _space = new FreeSpace(_files, "/data", least, _time);
        foreach (var folder in new[] { "spool", "moved" }) _files.CreateFolder($"/data/{folder}");
    }

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Fact]
    public async Task Create_OfAPack_WhenLessThanTheShareIsFree_IsFull_UnlessItIsMoved()
    {
        var number = 0U;
        var store = new FilePackStore(_files, "/data", _space, new PlainClock(_time), _time, NullLogger.Instance);
        Assert.Equal(PackCreation.Created, await CreateAsync(11, PackKind.Birth));
        Assert.Equal(PackCreation.Full, await CreateAsync(9, PackKind.Birth));
        // What the cleaner copies is what makes room.
        Assert.Equal(PackCreation.Created, await CreateAsync(9, PackKind.Moved));
        Assert.Equal(PackCreation.Created, await CreateAsync(11, PackKind.Birth));

        Task<PackCreation> CreateAsync(int percent, PackKind kind)
        {
            Have(percent);
            return store.CreateAsync(new PackName(kind, 7, ++number), new PackImage(new byte[100], null), default);
        }
    }

    [Fact]
    public async Task Scratch_WhenLessThanTheShareIsFree_IsNotBegunAndNotContinued()
    {
        var scratch = new ScratchFolder(_data, _space, NullLogger.Instance);
        Have(11);
        using var writer = scratch.TryCreate()!;
        Assert.True(await writer.AppendAsync(new byte[100], default));
        Have(9);
        Assert.Null(scratch.TryCreate());
        Assert.False(await writer.AppendAsync(new byte[100], default));
        Have(11);
        using var again = scratch.TryCreate();
        Assert.NotNull(again);
    }

    [Theory]
    [InlineData("10%", true)]
    [InlineData("12.5%", false)]
    [InlineData("110000000000", true)]
    [InlineData("110000000001", false)]
    public void Room_WithAShareOrOctets_IsWhatIsFreeBeyond(string least, bool room)
    {
        Assert.True(MinFree.TryParse(least, out var value));
        Have(11);
        Assert.Equal(room, new FreeSpace(_files, "/data", value, _time).HasRoomFor(0));
    }

    /// <summary>So much is free, and a second has passed: it is asked again.</summary>
    private void Have(int percent)
    {
        _files.SpaceLeft = new FileSystemSpace(Total / 100 * percent, Total);
        _time.Advance(TimeSpan.FromSeconds(1));
    }
}
