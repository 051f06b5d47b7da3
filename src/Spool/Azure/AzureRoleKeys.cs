using Angarium.Spool.Files;
using Azure.Storage.Blobs;
using Azure.Storage.Sas;

namespace Angarium.Spool.Azure;

/// <summary>
/// Makes the credentials of processes that are no silo (design: "Roles"): the containers that their roles may touch, each with a SAS that allows no more than they need. A silo has the
/// account. Pure.
/// </summary>
public static class AzureRoleKeys
{
    private static readonly (string Role, string Container, BlobContainerSasPermissions Permissions)[] Rights =
    [
        ("ingress", "spool", BlobContainerSasPermissions.Create), ("ingress", "cluster", BlobContainerSasPermissions.Read),
        ("egress", "spool", BlobContainerSasPermissions.Read), ("egress", "moved", BlobContainerSasPermissions.Read), ("egress", "cluster", BlobContainerSasPermissions.Read),
        ("api", "ledger", BlobContainerSasPermissions.Read | BlobContainerSasPermissions.List), ("api", "cluster", BlobContainerSasPermissions.Read),
    ];

    /// <summary>The roles that have keys.</summary>
    public static IEnumerable<string> Roles => Rights.Select(right => right.Role).Distinct();

    /// <summary>What `Spool:Containers` of processes with these roles, all at once, holds: container → address with SAS.</summary>
    /// <param name="connectionString">With the account's key.</param>
    /// <exception cref="StoreUnavailableException">It is none.</exception>
    public static IReadOnlyDictionary<string, string> Make(string connectionString, string prefix, IReadOnlyCollection<string> roles, DateTimeOffset expires)
    {
        BlobServiceClient account;
        try
        {
            account = new BlobServiceClient(connectionString);
        }
        catch (Exception failure) when (failure is FormatException or ArgumentException or IndexOutOfRangeException)
        {
            // The library's text may quote what it could not read: the key.
            throw new StoreUnavailableException("Spool:Azure: is not a connection string; keys for the roles are made with the account's key.");
        }

        if (!account.CanGenerateAccountSasUri) throw new StoreUnavailableException("Spool:Azure: holds no account key; keys for the roles are made with it.");
        return Rights.Where(right => roles.Contains(right.Role)).GroupBy(right => right.Container, right => right.Permissions).ToDictionary(
            container => container.Key, container => Sas(account.GetBlobContainerClient($"{prefix}-{container.Key}"), container.Aggregate((all, one) => all | one), expires));
    }

    private static string Sas(BlobContainerClient container, BlobContainerSasPermissions permissions, DateTimeOffset expires)
    {
        var builder = new BlobSasBuilder(permissions, expires) { BlobContainerName = container.Name };
        if (container.Uri.Scheme == Uri.UriSchemeHttps) builder.Protocol = SasProtocol.Https;
        return container.GenerateSasUri(builder).AbsoluteUri;
    }
}
