using Angarium.Spool.Documents;
using Angarium.Spool.Ledger;
using Azure;
using Azure.Storage;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;

namespace Angarium.Spool.Azure;

/// <summary>
/// Documents as block blobs, their tags the service's own: the writers of the ledger beside its streams, `cluster/…` in the container that every process may read, all others in the one
/// that only silos touch. Holds no state; any thread. What was answered is durable.
/// </summary>
internal sealed class AzureDocumentStore(AzureContainer? ledger, AzureContainer? cluster, AzureContainer? @private) : IDocumentStore
{
    private const string Cluster = "cluster/", WritersBlob = "writers";
    private const int MaxSize = 256 << 20;

    public async Task<Document?> ReadAsync(string name, CancellationToken cancellationToken) => (await ReadIfChangedAsync(name, null, cancellationToken).ConfigureAwait(false)).Document;

    public async Task<DocumentRead> ReadIfChangedAsync(string name, string? tag, CancellationToken cancellationToken)
    {
        var (container, blob) = Place(name);
        try
        {
            var options = new BlobDownloadOptions { Conditions = tag is null ? null : new BlobRequestConditions { IfNoneMatch = new ETag(tag) } };
            var response = await container.Reads.GetBlockBlobClient(blob).DownloadStreamingAsync(options, cancellationToken).ConfigureAwait(false);
            if (response.GetRawResponse().Status == 304) return new DocumentRead(false, null);
            using var part = response.Value;
            if (part.Details.ContentLength > MaxSize) throw new IOException($"The document {name} is larger than any that is written");
            var content = new byte[part.Details.ContentLength];
            await part.Content.ReadExactlyAsync(content, cancellationToken).ConfigureAwait(false);
            return new DocumentRead(true, new Document(content, part.Details.ETag.ToString()));
        }
        catch (RequestFailedException refused) when (refused.Status == 304)
        {
            return new DocumentRead(false, null);
        }
        catch (RequestFailedException refused) when (refused.Is(404, AzureErrors.BlobNotFound))
        {
            return new DocumentRead(tag is not null, null);
        }
        catch (Exception failure) when (AzureErrors.IsFailure(failure, cancellationToken))
        {
            throw AzureErrors.Failed($"The document {name} cannot be read", failure);
        }
    }

    public async Task<string?> WriteAsync(string name, ReadOnlyMemory<byte> content, string? tag, CancellationToken cancellationToken)
    {
        var (container, blob) = Place(name);
        if (content.Length > MaxSize) throw new ArgumentException("The document is too large", nameof(content));
        using var attempt = AzureErrors.Attempt(cancellationToken, content.Length);
        using var body = BinaryData.FromBytes(content).ToStream();
        try
        {
            var options = new BlobUploadOptions
            {
                Conditions = tag is null ? new BlobRequestConditions { IfNoneMatch = ETag.All } : new BlobRequestConditions { IfMatch = new ETag(tag) },
                TransferOptions = new StorageTransferOptions { InitialTransferSize = MaxSize + 1 },
            };
            return (await container.Writes.GetBlockBlobClient(blob).UploadAsync(body, options, attempt.Token).ConfigureAwait(false)).Value.ETag.ToString();
        }
        catch (RequestFailedException refused) when (refused.Status == 412 || refused.Is(409, "BlobAlreadyExists") || refused.Is(404, AzureErrors.BlobNotFound))
        {
            return null;
        }
        catch (Exception failure) when (AzureErrors.IsFailure(failure, cancellationToken))
        {
            throw AzureErrors.Failed($"The document {name} may not have been written", failure);
        }
    }

    public async Task DeleteAsync(string name, CancellationToken cancellationToken)
    {
        var (container, blob) = Place(name);
        try
        {
            using var attempt = AzureErrors.Attempt(cancellationToken);
            await container.Writes.GetBlockBlobClient(blob).DeleteAsync(cancellationToken: attempt.Token).ConfigureAwait(false);
        }
        catch (RequestFailedException refused) when (refused.Is(404, AzureErrors.BlobNotFound))
        {
        }
        catch (Exception failure) when (AzureErrors.IsFailure(failure, cancellationToken))
        {
            throw AzureErrors.Failed($"The document {name} cannot be deleted", failure);
        }
    }

    public async Task<IReadOnlyList<string>> ListAsync(string prefix, CancellationToken cancellationToken)
    {
        var names = new List<string>();
        if (ledger is not null && WritersDocument.Name.StartsWith(prefix, StringComparison.Ordinal))
            await foreach (var name in BlobsAsync(ledger, WritersBlob, cancellationToken).ConfigureAwait(false))
                if (name == WritersBlob) names.Add(WritersDocument.Name);
        if (cluster is not null && (prefix.StartsWith(Cluster, StringComparison.Ordinal) || Cluster.StartsWith(prefix, StringComparison.Ordinal)))
            await foreach (var name in BlobsAsync(cluster, prefix.Length > Cluster.Length ? prefix[Cluster.Length..] : "", cancellationToken).ConfigureAwait(false)) names.Add(Cluster + name);
        if (@private is not null && !prefix.StartsWith(Cluster, StringComparison.Ordinal))
            await foreach (var name in BlobsAsync(@private, prefix, cancellationToken).ConfigureAwait(false)) names.Add(name);
        names.Sort(StringComparer.Ordinal);
        return names;
    }

    private static IAsyncEnumerable<string> BlobsAsync(AzureContainer container, string prefix, CancellationToken cancellationToken) =>
        container.Reads.GetBlobsAsync(new GetBlobsOptions { Prefix = prefix }, cancellationToken)
            .Guarded($"The documents in {container.Name} cannot be listed", cancellationToken).Select(blob => blob.Name);

    private (AzureContainer Container, string Blob) Place(string name)
    {
        DocumentName.Check(name);
        var (container, blob) = name == WritersDocument.Name ? (ledger, WritersBlob) : name.StartsWith(Cluster, StringComparison.Ordinal) ? (cluster, name[Cluster.Length..]) : (@private, name);
        return (container ?? throw new InvalidOperationException($"This process has no access to the document {name}: that is for the role grains"), blob);
    }
}
