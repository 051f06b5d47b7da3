using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.CompilerServices;
using Angarium.Mail;
using Angarium.Spool.Ledger;
using Azure;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;
using Microsoft.Extensions.Logging;

namespace Angarium.Spool.Azure;

/// <summary>
/// Ledger streams as append blobs `&lt;writer&gt;/&lt;number&gt;` (design rules 6 to 10). Each append names the position it goes to, so that neither a repeat nor a writer that was declared dead
/// can add to what was read; a stream ends with a <see cref="LedgerSeal"/>, because not every account can seal append blobs. Any thread. Remembers, only to make reads cheap, the tag at
/// which a stream was read to its end. What was answered is durable.
/// </summary>
internal sealed partial class AzureLedgerStore(AzureContainer container, ILogger logger) : ILedgerStore
{
    /// <summary>Metadata of a sealed stream, for listings: its end. Set after the seal; where it is missing the tail is read.</summary>
    private const string SealedAt = "sealed";

    private const int MaxTails = 10_000;

    /// <summary>Octets of a tail that are searched for seals at a time: mostly there is one.</summary>
    private const int SealsRead = 8 * LedgerSeal.Size;

    /// <summary>How much is searched at a time for the next good block behind a damaged one: two of the largest.</summary>
    private const int SearchWindow = 2 * LedgerBlock.MaxSize;

    private readonly ConcurrentDictionary<LedgerStream, Tail> _tails = new();

    public async Task<long> AppendAsync(LedgerStream stream, long offset, ReadOnlyMemory<byte> block, CancellationToken cancellationToken)
    {
        var blob = Writes(stream);
        using var attempt = AzureErrors.Attempt(cancellationToken, block.Length);
        try
        {
            if (offset == 0) await CreateAsync(blob, attempt.Token).ConfigureAwait(false);
            await AppendAsync(blob, offset, block, attempt.Token).ConfigureAwait(false);
            return offset + block.Length;
        }
        catch (RequestFailedException refused) when (refused.Status == 412 || refused.Is(404, AzureErrors.BlobNotFound) || refused.Is(409, "BlockCountExceedsLimit"))
        {
            throw new LedgerConflictException($"{stream} does not end at {offset}: {AzureErrors.Describe(refused)}");
        }
        catch (Exception failure) when (AzureErrors.IsFailure(failure, cancellationToken))
        {
            throw AzureErrors.Failed($"{stream} may not have been appended to", failure);
        }
    }

    public async Task<LedgerRead> ReadAsync(LedgerStream stream, long offset, int maxBytes, CancellationToken cancellationToken) =>
        (await ReadAsync(stream, offset, maxBytes, isOurs: true, cancellationToken).ConfigureAwait(false))!.Value;

    public Task<LedgerRead?> TryReadAsync(LedgerStream stream, long offset, int maxBytes, CancellationToken cancellationToken) => ReadAsync(stream, offset, maxBytes, isOurs: false, cancellationToken);

    /// <param name="stream">Which.</param>
    /// <param name="offset">From where.</param>
    /// <param name="maxBytes">At most, but one block.</param>
    /// <param name="isOurs">A block begins at the offset, or what lies there is damaged; otherwise null tells that none does.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    private async Task<LedgerRead?> ReadAsync(LedgerStream stream, long offset, int maxBytes, bool isOurs, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        for (var want = Math.Max(maxBytes, LedgerBlock.HeaderSize); ;)
        {
            var piece = await GetAsync(stream, offset, want, cancellationToken).ConfigureAwait(false);
            if (piece is not { Bytes.IsEmpty: false }) return new LedgerRead(default, offset, false, offset);
            var bytes = piece.Bytes;
            if (Whole(stream, bytes.Span, offset, out var isSealed) is var size && (size > 0 || isSealed))
            {
                if (isSealed) _tails.TryRemove(stream, out _);
                else if (offset + size == piece.Total) Remember(stream, offset + size, null);
                return new LedgerRead(size > 0 ? bytes[..size] : default, offset + size, isSealed, isSealed ? offset + size : piece.Total);
            }

            // One block is larger than what was asked for, or it is none.
            if (isOurs && LedgerSeal.NewerVersion(bytes.Span) is { } version) throw new IOException($"{stream} holds a block of version {version} at {offset}: a newer build wrote it, this one reads version 1");
            if (LedgerBlock.ClaimedSize(bytes.Span) is var claimed && claimed > bytes.Length && offset + claimed <= piece.Total) want = claimed;
            else if (await NextAsync(stream, offset, cancellationToken).ConfigureAwait(false) is { } next)
            {
                if (!isOurs) return null;
                SpoolInstruments.Corrupt();
                LogDamage(logger, stream, offset, next);
                offset = next;
            }
            else return new LedgerRead(default, offset, false, offset);
        }
    }

    public async Task<long> SealAsync(LedgerStream stream, CancellationToken cancellationToken)
    {
        var blob = Writes(stream);
        using var attempt = AzureErrors.Attempt(cancellationToken);
        try
        {
            var length = await LengthAsync(blob, attempt.Token).ConfigureAwait(false);
            if (length < 0)
            {
                // So that its writer can never begin it.
                await CreateAsync(blob, attempt.Token).ConfigureAwait(false);
                length = 0;
            }

            if (await SealedEndAsync(stream, length, cancellationToken).ConfigureAwait(false) is { } before) return before;
            if (await TryAppendAsync(blob, length, LedgerSeal.Make(stream), attempt.Token).ConfigureAwait(false) is { } end)
            {
                await MarkAsync(blob, stream, end, attempt.Token).ConfigureAwait(false);
                return end;
            }

            // Its writer lives, and appends: the seal goes wherever the end is when it comes, and nothing but seals can follow.
            await AppendAsync(blob, null, LedgerSeal.Make(stream), attempt.Token).ConfigureAwait(false);
            length = await LengthAsync(blob, attempt.Token).ConfigureAwait(false);
            end = await SealedEndAsync(stream, length, cancellationToken).ConfigureAwait(false) ?? throw new IOException($"{stream} was sealed and is not");
            await MarkAsync(blob, stream, end, attempt.Token).ConfigureAwait(false);
            return end;
        }
        catch (Exception failure) when (AzureErrors.IsFailure(failure, cancellationToken))
        {
            throw AzureErrors.Failed($"{stream} may not have been sealed", failure);
        }
    }

    public async IAsyncEnumerable<LedgerStreamListing> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var blob in container.Reads.GetBlobsAsync(new GetBlobsOptions { Traits = BlobTraits.Metadata }, cancellationToken)
            .Guarded("The ledger cannot be listed", cancellationToken).ConfigureAwait(false))
        {
            if (!BlobNames.TryParse(blob.Name, out var writer, out var number)) continue;
            var (stream, length) = (new LedgerStream(writer, number), blob.Properties.ContentLength ?? 0);
            var modified = StoreTime.FromDateTimeOffset(blob.Properties.LastModified ?? DateTimeOffset.UnixEpoch);
            if (blob.Metadata is not null && blob.Metadata.TryGetValue(SealedAt, out var at) && long.TryParse(at, NumberStyles.None, CultureInfo.InvariantCulture, out var end))
            {
                yield return new LedgerStreamListing(stream, end, true, modified);
                continue;
            }

            var isKnownOpen = _tails.TryGetValue(stream, out var tail) && tail.Tag is { } seen && seen == TagOf(blob.Properties.ETag);
            var sealedEnd = isKnownOpen ? null : await SealedEndAsync(stream, length, cancellationToken).ConfigureAwait(false);
            yield return new LedgerStreamListing(stream, sealedEnd ?? length, sealedEnd is not null, modified);
        }
    }

    public async Task DeleteAsync(LedgerStream stream, CancellationToken cancellationToken)
    {
        try
        {
            using var attempt = AzureErrors.Attempt(cancellationToken);
            await Writes(stream).DeleteAsync(cancellationToken: attempt.Token).ConfigureAwait(false);
        }
        catch (RequestFailedException refused) when (refused.Is(404, AzureErrors.BlobNotFound))
        {
        }
        catch (Exception failure) when (AzureErrors.IsFailure(failure, cancellationToken))
        {
            throw AzureErrors.Failed($"{stream} cannot be deleted", failure);
        }

        _tails.TryRemove(stream, out _);
    }

    private static string? TagOf(ETag? tag) => tag?.ToString().Trim('"');

    /// <summary>An empty blob where none is. Who made one that is there does not matter: the position of the append decides.</summary>
    private static async Task CreateAsync(AppendBlobClient blob, CancellationToken cancellationToken)
    {
        try
        {
            await blob.CreateAsync(new AppendBlobCreateOptions { Conditions = new AppendBlobRequestConditions { IfNoneMatch = ETag.All } }, cancellationToken).ConfigureAwait(false);
        }
        catch (RequestFailedException refused) when (refused.Status == 412 || refused.Is(409, "BlobAlreadyExists"))
        {
        }
    }

    /// <param name="offset">Null = wherever the end is.</param>
    private static async Task AppendAsync(AppendBlobClient blob, long? offset, ReadOnlyMemory<byte> block, CancellationToken cancellationToken)
    {
        using var body = BinaryData.FromBytes(block).ToStream();
        var options = new AppendBlobAppendBlockOptions { Conditions = new AppendBlobRequestConditions { IfAppendPositionEqual = offset } };
        await blob.AppendBlockAsync(body, options, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Returns the offset, or null when the stream does not end there.</summary>
    private static async Task<long?> TryAppendAsync(AppendBlobClient blob, long offset, ReadOnlyMemory<byte> block, CancellationToken cancellationToken)
    {
        try
        {
            await AppendAsync(blob, offset, block, cancellationToken).ConfigureAwait(false);
            return offset;
        }
        catch (RequestFailedException refused) when (refused.Status == 412)
        {
            return null;
        }
    }

    private static async Task<long> LengthAsync(AppendBlobClient blob, CancellationToken cancellationToken)
    {
        try
        {
            return (await blob.GetPropertiesAsync(cancellationToken: cancellationToken).ConfigureAwait(false)).Value.ContentLength;
        }
        catch (RequestFailedException refused) when (refused.Is(404, AzureErrors.BlobNotFound))
        {
            return -1;
        }
    }

    private async Task MarkAsync(AppendBlobClient blob, LedgerStream stream, long end, CancellationToken cancellationToken)
    {
        try
        {
            var mark = new Dictionary<string, string> { [SealedAt] = end.ToString(CultureInfo.InvariantCulture) };
            await blob.SetMetadataAsync(mark, cancellationToken: cancellationToken).ConfigureAwait(false);
        }
        catch (Exception failure) when (AzureErrors.IsFailure(failure, CancellationToken.None))
        {
            // The stream is sealed all the same: listings read its tail.
            LogNotMarked(logger, stream, AzureErrors.Describe(failure));
        }
    }

    /// <summary>Where the stream of that length ends, if it ends in seals.</summary>
    private async Task<long?> SealedEndAsync(LedgerStream stream, long length, CancellationToken cancellationToken)
    {
        for (var end = length; ; end -= SealsRead)
        {
            var from = Math.Max(0, end - SealsRead);
            if (end == from || await GetAsync(stream, from, (int)(end - from), cancellationToken).ConfigureAwait(false) is not { } piece) return end < length ? end : null;
            var seals = LedgerSeal.CountAtEnd(piece.Bytes.Span, stream);
            if (seals * LedgerSeal.Size < SealsRead) return seals > 0 || end < length ? end - seals * LedgerSeal.Size : null;
        }
    }

    /// <summary>Octets of the whole, intact blocks at the begin, and whether the seal follows them.</summary>
    private static int Whole(LedgerStream stream, ReadOnlySpan<byte> bytes, long offset, out bool isSealed)
    {
        var at = 0;
        while (LedgerBlock.Read(bytes[at..], stream, offset + at, out _, out _) is > 0 and var size) at += size;
        isSealed = LedgerSeal.Is(bytes[at..], stream);
        return at;
    }

    /// <summary>Where the next intact block, or the seal, lies behind one that is damaged; null = nowhere.</summary>
    private async Task<long?> NextAsync(LedgerStream stream, long damaged, CancellationToken cancellationToken)
    {
        for (var from = damaged + 8; ; from += LedgerBlock.MaxSize)
        {
            if (await GetAsync(stream, from, SearchWindow, cancellationToken).ConfigureAwait(false) is not { Bytes.IsEmpty: false } piece) return null;
            for (var at = 0; at < Math.Min(piece.Bytes.Length, LedgerBlock.MaxSize); at += 8)
                if (Whole(stream, piece.Bytes.Span[at..], from + at, out var isSealed) > 0 || isSealed) return from + at;
        }
    }

    /// <summary>One range of a stream; null = the stream is not there, or has not grown since it was read to this place.</summary>
    private async Task<Piece?> GetAsync(LedgerStream stream, long offset, int most, CancellationToken cancellationToken)
    {
        var blob = container.Reads.GetAppendBlobClient(BlobNames.Of(stream.Writer, stream.Number));
        var isTail = _tails.TryGetValue(stream, out var tail) && tail.Offset == offset;
        var known = isTail ? tail.Tag : null;
        try
        {
            if (isTail && known is null && await IsEndAsync(blob, stream, offset, cancellationToken).ConfigureAwait(false)) return null;
            var options = new BlobDownloadOptions { Range = new HttpRange(offset, most), Conditions = known is null ? null : new BlobRequestConditions { IfNoneMatch = new ETag($"\"{known}\"") } };
            var response = await blob.DownloadStreamingAsync(options, cancellationToken).ConfigureAwait(false);
            if (response.GetRawResponse().Status == 304) return null;
            using var part = response.Value;
            var bytes = new byte[part.Details.ContentLength];
            await part.Content.ReadExactlyAsync(bytes, cancellationToken).ConfigureAwait(false);
            var total = part.Details.ContentRange?.Split('/') is [_, var all] && long.TryParse(all, NumberStyles.None, CultureInfo.InvariantCulture, out var size) ? size : offset + bytes.Length;
            if (bytes.Length == 0 && offset == total) await IsEndAsync(blob, stream, offset, cancellationToken).ConfigureAwait(false);
            return new Piece(bytes, total);
        }
        catch (RequestFailedException refused) when (refused.Status == 304 || refused.Is(404, AzureErrors.BlobNotFound))
        {
            return null;
        }
        catch (RequestFailedException refused) when (refused.Status == 416)
        {
            // Nothing lies there yet. The tag at which that is so makes the next question cheap.
            try
            {
                await IsEndAsync(blob, stream, offset, cancellationToken).ConfigureAwait(false);
                return null;
            }
            catch (Exception failure) when (AzureErrors.IsFailure(failure, cancellationToken))
            {
                throw AzureErrors.Failed($"{stream} cannot be read", failure);
            }
        }
        catch (Exception failure) when (AzureErrors.IsFailure(failure, cancellationToken))
        {
            throw AzureErrors.Failed($"{stream} cannot be read", failure);
        }
    }

    /// <summary>
    /// Whether the stream ends there. Only an answer without content tells the tag at which it does: one that comes with content may be of an append that came while that was on its way (the
    /// emulator answers so). Believed, it would hide that append until the next, and after a seal there is none.
    /// </summary>
    private async Task<bool> IsEndAsync(AppendBlobClient blob, LedgerStream stream, long offset, CancellationToken cancellationToken)
    {
        var properties = (await blob.GetPropertiesAsync(cancellationToken: cancellationToken).ConfigureAwait(false)).Value;
        if (properties.ContentLength != offset) return false;
        Remember(stream, offset, TagOf(properties.ETag));
        return true;
    }

    private void Remember(LedgerStream stream, long offset, string? tag)
    {
        if (_tails.Count >= MaxTails) _tails.Clear();
        _tails[stream] = new Tail(offset, tag);
    }

    private AppendBlobClient Writes(LedgerStream stream) => container.Writes.GetAppendBlobClient(BlobNames.Of(stream.Writer, stream.Number));

    [LoggerMessage(1072, LogLevel.Critical, "{Stream} is damaged from {From} to {To}: what lay there is passed over")]
    private static partial void LogDamage(ILogger logger, LedgerStream stream, long from, long to);

    [LoggerMessage(1073, LogLevel.Information, "{Stream} is sealed, but could not be marked so for listings: {Reason}")]
    private static partial void LogNotMarked(ILogger logger, LedgerStream stream, string reason);

    /// <summary>A stream was not sealed and ended at this offset when its blob had this tag; null = the tag is not known yet.</summary>
    private readonly record struct Tail(long Offset, string? Tag);

    private sealed record Piece(ReadOnlyMemory<byte> Bytes, long Total);
}
