using Angarium.Mail;
using Angarium.Spool;
using Angarium.Spool.Packs;
using Angarium.TestKit.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Angarium.Unit.Spool;

/// <summary>A disk that changes what was written: whatever octet it is, no wrong content, sender or recipient is ever read, and the stores still open (design rule 13).</summary>
public sealed class DamageTests : IDisposable
{
    private readonly string _data = Path.Combine(Path.GetTempPath(), "angarium-test-" + Guid.NewGuid().ToString("n"));
    private readonly string _copy = Path.Combine(Path.GetTempPath(), "angarium-test-" + Guid.NewGuid().ToString("n"));

    public void Dispose()
    {
        foreach (var folder in new[] { _data, _copy }.Where(Directory.Exists)) Directory.Delete(folder, recursive: true);
    }

    /// <summary>Small messages that share packs, and a large one alone in its own, of which octets are picked at intervals.</summary>
    [Theory]
    [InlineData(true, 7)]
    [InlineData(false, 40_009)]
    public async Task Read_AnyOctetFlipped_RightOrRefused(bool small, int step)
    {
        var places = new Dictionary<EntryPlace, (byte[] Content, string Recipient)>();
        await using (var stores = await OpenAsync(_data))
        {
            for (var i = 0; i < (small ? 3 : 1); i++)
            {
                var recipient = $"r{i}@d{i}.example";
                var content = new byte[small ? 300 + i : 1_500_000];
                new Random(i).NextBytes(content);
                var mail = Mails.To(content, recipient);
                var receipt = await stores.Writer.CommitAsync(mail, CancellationToken.None);
                var name = PackName.Birth(receipt.Id.First.PackId);
                var entry = Assert.Single((await stores.Reader.ReadTocAsync(name, CancellationToken.None)).Value!.Entries);
                places.Add(new EntryPlace(name, entry.Offset, entry.Length), (Mails.Sent(mail, receipt.Id), recipient));
            }
        }

        var segment = Path.GetRelativePath(_data, Assert.Single(Directory.GetFiles(_data, "*.seg", SearchOption.AllDirectories)));
        var length = new FileInfo(Path.Combine(_data, segment)).Length;
        int right = 0, refused = 0;
        for (long at = 0; at < length; at += step)
        {
            Copy();
            await using (var file = new FileStream(Path.Combine(_copy, segment), FileMode.Open))
            {
                file.Position = at;
                var octet = (byte)file.ReadByte();
                file.Position = at;
                file.WriteByte((byte)(octet ^ (1 << (int)(at % 8))));
            }

            await using var stores = await OpenAsync(_copy);
            foreach (var (place, (content, recipient)) in places)
            {
                if (await ReadAsync(stores, place) is not { } read)
                {
                    refused++;
                    continue;
                }

                right++;
                Assert.Equal(recipient, Assert.Single(read.Envelope.Recipients).Address);
                Assert.Equal("sender@example.org", read.Envelope.ReversePath);
                Assert.True(content.AsSpan().SequenceEqual(read.Content), $"octet {at}");
            }
        }

        Assert.True(refused > 0);
        Assert.True(!small || right > refused, "damage of one message took others with it");
    }

    private static async Task<(Envelope Envelope, byte[] Content)?> ReadAsync(EmbeddedStores stores, EntryPlace place)
    {
        var read = await stores.Reader.ReadEntryAsync(place, CancellationToken.None);
        if (read.Status != SpoolReadStatus.Found) return null;
        using var entry = read.Value!;
        try
        {
            return (entry.Envelope, await Mails.ContentAsync(entry));
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }

    private void Copy()
    {
        if (Directory.Exists(_copy)) Directory.Delete(_copy, recursive: true);
        foreach (var folder in Directory.GetDirectories(_data, "*", SearchOption.AllDirectories).Prepend(_data)) Directory.CreateDirectory(Path.Combine(_copy, Path.GetRelativePath(_data, folder)));
        foreach (var file in Directory.GetFiles(_data, "*", SearchOption.AllDirectories)) File.Copy(file, Path.Combine(_copy, Path.GetRelativePath(_data, file)));
    }

    private static Task<EmbeddedStores> OpenAsync(string data) =>
        EmbeddedStores.OpenAsync(data, new SpoolOptions { MinFree = "1" }, NullLoggerFactory.Instance, TimeProvider.System, CancellationToken.None);
}
