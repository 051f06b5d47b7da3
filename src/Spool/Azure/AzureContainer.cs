using Azure.Storage.Blobs;

namespace Angarium.Spool.Azure;

/// <summary>One container and this process's credential for it. Immutable; any thread.</summary>
/// <param name="Setting">The setting that the credential comes from: for people.</param>
/// <param name="Reads">Repeats what failed, a few times.</param>
/// <param name="Writes">Never repeats: an unknown result is its caller's to judge.</param>
/// <param name="MayOnlyCreate">The signed permissions of a service SAS hold `c` and not `w`: refused for its permission, a creation has met a blob that exists.</param>
/// <param name="IsOwn">Addressed by a SAS of its own: such a container is made by who made the SAS.</param>
/// <param name="Ends">When that SAS ends; null = it does not say so, or there is none.</param>
internal sealed record AzureContainer(string Name, string Setting, BlobContainerClient Reads, BlobContainerClient Writes, bool MayOnlyCreate, bool IsOwn, DateTimeOffset? Ends = null);
