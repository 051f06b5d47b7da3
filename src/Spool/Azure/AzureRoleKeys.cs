using Angarium.Spool.Files;
using Azure.Storage.Blobs;
using Azure.Storage.Sas;

namespace Angarium.Spool.Azure;

/// <summary>
/// Makes the credentials of the roles that are no silo (design: "Roles"): for each the containers it may touch, each with a SAS that allows no more than it needs. A silo has the account.
/// Pure.
/// </summary>
public static class AzureRoleKeys
{
    private static readonly (string Role, string Container, BlobContainerSasPermissions Permissions)[] Rights =
    [
        ("ingress", "spool", BlobContainerSasPermissions.Create), ("ingress", "cluster", BlobContainerSasPermissions.Read),
        ("egress", "spool", BlobContainerSasPermissions.Read), ("egress", "moved", BlobContainerSasPermissions.Read), ("egress", "cluster", BlobContainerSasPermissions.Read),
        ("api", "ledger", BlobContainerSasPermissions.Read | BlobContainerSasPermissions.List), ("api", "cluster", BlobContainerSasPermissions.Read),
    ];

    /// <summary>For each role what `Spool:Containers` of its processes holds: container → address with SAS.</summary>
    /// <param name="connectionString">With the account's key.</param>
    /// <exception cref="StoreUnavailableException">It is none.</exception>
    public static IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> Make(string connectionString, string prefix, DateTimeOffset expires)
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
        return Rights.GroupBy(right => right.Role).ToDictionary(
            role => role.Key,
            IReadOnlyDictionary<string, string> (role) => role.ToDictionary(right => right.Container, right => Sas(account.GetBlobContainerClient($"{prefix}-{right.Container}"), right.Permissions, expires)));
    }

    private static string Sas(BlobContainerClient container, BlobContainerSasPermissions permissions, DateTimeOffset expires)
    {
        var builder = new BlobSasBuilder(permissions, expires) { BlobContainerName = container.Name };
        if (container.Uri.Scheme == Uri.UriSchemeHttps) builder.Protocol = SasProtocol.Https;
        return container.GenerateSasUri(builder).AbsoluteUri;
    }
}
