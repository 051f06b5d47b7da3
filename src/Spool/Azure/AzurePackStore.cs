using System.Runtime.CompilerServices;
using Angarium.Mail;
using Angarium.Spool.Packs;
using Azure;
using Azure.Storage;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;
using Microsoft.Extensions.Logging;

namespace Angarium.Spool.Azure;

/// <summary>
/// Packs as block blobs `&lt;writer&gt;/&lt;number&gt;` in the containers spool and moved (design rules 1, 2, 3, 5), each made by one request that succeeds only where nothing is. Holds no state but
/// when it last complained; any thread. What was answered Created is durable.
/// </summary>
internal sealed partial class AzurePackStore(AzureContainer? spool, AzureContainer? moved, TimeProvider time, ILogger logger) : IPackStore
{
    /// <summary>No request for more is made to ask whether there is more.</summary>
    private const long FarEnd = 1L << 50;

    private static readonly TimeSpan ComplainEvery = TimeSpan.FromSeconds(10);
    private long _complained;

    /// <summary>Each is a request of its own: the next pack need not wait for the last one's answer.</summary>
    public int MaxCreationsInFlight => 4;

    public async Task<PackCreation> CreateAsync(PackName name, PackImage image, CancellationToken cancellationToken)
    {
        var container = Container(name.Kind);
        using var attempt = AzureErrors.Attempt(cancellationToken, image.Length);
        using var body = new PackStream(image);
        try
        {
            var options = new BlobUploadOptions
            {
                Conditions = new BlobRequestConditions { IfNoneMatch = ETag.All },
                // One request, however large: a pack is visible whole or not at all.
                TransferOptions = new StorageTransferOptions { InitialTransferSize = 4L << 30 },
            };
            await container.Writes.GetBlockBlobClient(BlobNames.Of(name.Writer, name.Number)).UploadAsync(body, options, attempt.Token).ConfigureAwait(false);
            return PackCreation.Created;
        }
        catch (RequestFailedException refused) when (refused.Status == 412 || refused.Is(409, "BlobAlreadyExists"))
        {
            // No other 409 says so: a container that is being deleted answers 409, too.
            return PackCreation.Exists;
        }
        catch (RequestFailedException refused) when (refused.Status == 403)
        {
            // Design rule 1. Who may only create is told 403 where a blob exists: by a code of its own, or (the emulator) by that for a missing permission, which it means only when the
            // permission to create is written in the signed credential itself. Every other 403 is about the credential, and would make a false 250.
            if (refused.ErrorCode == AzureErrors.BlobOverwrite || refused.ErrorCode == AzureErrors.PermissionMismatch && container.MayOnlyCreate) return PackCreation.Exists;
            if (MayComplain()) LogRefused(logger, container.Setting, container.Name, AzureErrors.Describe(refused));
            return PackCreation.Unknown;
        }
        catch (RequestFailedException refused) when (refused.Status == 507)
        {
            return PackCreation.Full;
        }
        catch (Exception failure) when (AzureErrors.IsFailure(failure, CancellationToken.None))
        {
            return Unknown(name, failure);
        }
    }

    public async ValueTask<int> ReadAsync(PackName name, long offset, Memory<byte> into, CancellationToken cancellationToken)
    {
        // A range has at least one octet.
        if (into.IsEmpty) return Math.Min(0, await ReadAsync(name, offset, new byte[1], cancellationToken).ConfigureAwait(false));
        try
        {
            var options = new BlobDownloadOptions { Range = new HttpRange(Math.Min(offset, FarEnd), into.Length) };
            var response = await Container(name.Kind).Reads.GetBlockBlobClient(BlobNames.Of(name.Writer, name.Number)).DownloadStreamingAsync(options, cancellationToken).ConfigureAwait(false);
            using var part = response.Value;
            var got = await part.Content.ReadAtLeastAsync(into, into.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
            return got == part.Details.ContentLength ? got : throw new IOException($"Pack {name} was read short");
        }
        catch (RequestFailedException refused) when (refused.Is(404, AzureErrors.BlobNotFound))
        {
            return -1;
        }
        catch (RequestFailedException refused) when (refused.Status == 416)
        {
            return 0;
        }
        catch (Exception failure) when (AzureErrors.IsFailure(failure, cancellationToken))
        {
            throw AzureErrors.Failed($"Pack {name} cannot be read", failure);
        }
    }

    public async IAsyncEnumerable<PackListing> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var kind in new[] { PackKind.Birth, PackKind.Moved })
        {
            var container = Container(kind);
            await foreach (var blob in container.Reads.GetBlobsAsync(new GetBlobsOptions(), cancellationToken)
                .Guarded($"The packs in {container.Name} cannot be listed", cancellationToken).ConfigureAwait(false))
            {
                if (!BlobNames.TryParse(blob.Name, out var writer, out var number) || blob.Properties.CreatedOn is not { } created) continue;
                yield return new PackListing(new PackName(kind, writer, number), blob.Properties.ContentLength ?? 0, StoreTime.FromDateTimeOffset(created));
            }
        }
    }

    public async Task DeleteAsync(PackName name, CancellationToken cancellationToken)
    {
        try
        {
            using var attempt = AzureErrors.Attempt(cancellationToken);
            await Container(name.Kind).Writes.GetBlockBlobClient(BlobNames.Of(name.Writer, name.Number)).DeleteAsync(cancellationToken: attempt.Token).ConfigureAwait(false);
        }
        catch (RequestFailedException refused) when (refused.Is(404, AzureErrors.BlobNotFound))
        {
        }
        catch (Exception failure) when (AzureErrors.IsFailure(failure, cancellationToken))
        {
            throw AzureErrors.Failed($"Pack {name} cannot be deleted", failure);
        }
    }

    private AzureContainer Container(PackKind kind) =>
        (kind == PackKind.Birth ? spool : moved) ?? throw new InvalidOperationException($"This process has no access to the container {(kind == PackKind.Birth ? "spool" : "moved")}");

    private PackCreation Unknown(PackName name, Exception failure)
    {
        if (MayComplain()) LogUnknown(logger, name, AzureErrors.Describe(failure));
        return PackCreation.Unknown;
    }

    /// <summary>An outage is told every 10 s, not for every attempt of every pack.</summary>
    private bool MayComplain()
    {
        var (now, last) = (time.GetTimestamp(), Interlocked.Read(ref _complained));
        return (last == 0 || time.GetElapsedTime(last, now) >= ComplainEvery) && Interlocked.CompareExchange(ref _complained, now, last) == last;
    }

    [LoggerMessage(1070, LogLevel.Warning, "Pack {Pack} could not be written, its fate is unknown: {Reason}")]
    private static partial void LogUnknown(ILogger logger, PackName pack, string reason);

    [LoggerMessage(1071, LogLevel.Error, "{Setting}: the credential does not allow to create in the container {Container}: {Reason}; no mail is accepted")]
    private static partial void LogRefused(ILogger logger, string setting, string container, string reason);
}
