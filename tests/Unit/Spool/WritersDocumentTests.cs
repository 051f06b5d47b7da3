using System.Text;
using Angarium.Mail;
using Angarium.Spool.Ledger;
using Angarium.Unit.Grains.Control;

namespace Angarium.Unit.Spool;

/// <summary>The document of writers: its stored form, and what its changes keep (design rule 10).</summary>
public sealed class WritersDocumentTests
{
    private readonly MemoryDocuments _documents = new();

    [Fact]
    public void Format_OfLivingAndEnded_IsReadBackAndNeverChanges()
    {
        var lines = new Dictionary<ulong, LedgerWriterLine>
        {
            [0xab] = new(0xab, new StoreTime(5), "10.0.0.1:11111@7"),
            [1] = new(1, new StoreTime(6), "-", 3, new StoreTime(9)),
        };
        var text = WritersDocument.Format(lines);
        Assert.Equal("angarium ledger writers 2\n0000000000000001 6 - sealed 3 9\n00000000000000ab 5 10.0.0.1:11111@7 living\n", Encoding.ASCII.GetString(text));
        Assert.Equal(lines, WritersDocument.Parse(text));
    }

    [Fact]
    public void Parse_OfVersion1_NamesTheProcessThatIsAlone() =>
        Assert.Equal(new LedgerWriterLine(0xab, new StoreTime(5), "-"), Assert.Single(WritersDocument.Parse("angarium ledger writers 1\n00000000000000ab 5\n"u8)).Value);

    [Theory]
    [InlineData("angarium ledger writers 3\n")]
    [InlineData("")]
    [InlineData("angarium ledger writers 2\n00000000000000ab 5 silo unheard-of\n")]
    [InlineData("angarium ledger writers 2\n00000000000000ab x silo living\n")]
    [InlineData("angarium ledger writers 2\nab 5 silo living\n")]
    [InlineData("angarium ledger writers 2\n00000000000000ab 5 silo sealed 0 9\n")]
    public void Parse_OfWhatItDoesNotKnow_IsRefused(string text) => Assert.Throws<IOException>(() => WritersDocument.Parse(Encoding.ASCII.GetBytes(text)));

    [Fact]
    public async Task Register_OfOneThatWasEnded_SaysSo()
    {
        Assert.True(await WritersDocument.RegisterAsync(_documents, 1, "s", new StoreTime(1), default));
        Assert.True(await WritersDocument.RegisterAsync(_documents, 1, "s", new StoreTime(1), default));
        await WritersDocument.EndAsync(_documents, 1, 4, new StoreTime(2), default);
        Assert.False(await WritersDocument.RegisterAsync(_documents, 1, "s", new StoreTime(3), default));
    }

    [Fact]
    public async Task Tidy_TakesOutWhatEndedAnHourAgoAndNothingElse()
    {
        for (ulong writer = 1; writer <= 3; writer++) await WritersDocument.RegisterAsync(_documents, writer, "s", new StoreTime(0), default);
        await WritersDocument.EndAsync(_documents, 1, 1, new StoreTime(0), default);
        await WritersDocument.EndAsync(_documents, 2, 1, new StoreTime(10), default);
        await WritersDocument.TidyAsync(_documents, new StoreTime(5) + WritersDocument.KeptFor, default);
        var left = await WritersDocument.ReadAsync(_documents, default);
        Assert.Equal("2 3", string.Join(' ', left.Keys.Order()));
    }
}
