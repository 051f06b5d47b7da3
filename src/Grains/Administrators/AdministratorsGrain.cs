using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Angarium.Contracts.Administrators;
using Angarium.Mail.Tenants;
using Angarium.Spool.Documents;
using Orleans.Placement;

namespace Angarium.Grains.Administrators;

/// <summary>
/// The administrators' keys: one document, digests only, changed by compare-and-swap. On its turns, one after the other; read at activation and after each change that another activation made
/// first. A crash loses nothing that was answered.
/// </summary>
[GrainType("administrators"), RandomPlacement]
internal sealed class AdministratorsGrain(IDocumentStore documents, TimeProvider time) : Grain, IAdministrators
{
    private const string Name = "administrators";
    private const int Most = 100, MaxAttempts = 10;

    private StoredAdministrators _stored = new(StoredAdministrators.Format, []);
    private string? _tag;

    public override Task OnActivateAsync(CancellationToken cancellationToken) => LoadAsync();

    public Task<string?> Check(string key)
    {
        var digest = Digest(key);
        string? id = null;
        foreach (var known in _stored.Keys)
            if (CryptographicOperations.FixedTimeEquals(known.Digest, digest)) id = known.Id;
        return Task.FromResult(id);
    }

    public Task<AdministratorView[]> List() => Task.FromResult<AdministratorView[]>([.. _stored.Keys.Select(key => new AdministratorView(key.Id, key.Name, key.Created, key.CreatedBy))]);

    public async Task<NewAdministrator?> Add(string name)
    {
        var (id, actor) = (TenantName.NewPart(), Actor.Current);
        var secret = TenantName.AdministratorPrefix + id + "_" + TenantName.NewSecret();
        var isAdded = await ChangeAsync(keys => keys.Length >= Most ? null : [.. keys, new StoredAdministrator(id, name, time.GetUtcNow(), actor, Digest(secret))]);
        return isAdded ? new NewAdministrator(id, secret) : null;
    }

    public Task<bool> Remove(string id) => ChangeAsync(keys => Array.Exists(keys, key => key.Id == id) ? [.. keys.Where(key => key.Id != id)] : null);

    private async Task<bool> ChangeAsync(Func<StoredAdministrator[], StoredAdministrator[]?> change)
    {
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            if (change(_stored.Keys) is not { } keys) return false;
            var after = _stored with { Keys = keys };
            if (await documents.WriteAsync(Name, JsonSerializer.SerializeToUtf8Bytes(after, AdministratorsJson.Default.StoredAdministrators), _tag, CancellationToken.None) is { } tag)
            {
                (_stored, _tag) = (after, tag);
                return true;
            }

            await LoadAsync();
        }

        throw new IOException($"The document {Name} was changed by others {MaxAttempts} times in a row.");
    }

    private async Task LoadAsync()
    {
        var document = await documents.ReadAsync(Name, CancellationToken.None);
        _tag = document?.Tag;
        _stored = document is null ? new StoredAdministrators(StoredAdministrators.Format, [])
            : JsonSerializer.Deserialize(document.Content.Span, AdministratorsJson.Default.StoredAdministrators) is { Version: StoredAdministrators.Format } stored ? stored
            : throw new InvalidDataException($"The document {Name} is of a version that this version of angarium does not know.");
    }

    private static byte[] Digest(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));

    /// <summary>The document as stored.</summary>
    internal sealed record StoredAdministrators(int Version, StoredAdministrator[] Keys)
    {
        public const int Format = 1;
    }

    /// <summary>One key: SHA-256 of it, which is enough for 190 random bits.</summary>
    internal sealed record StoredAdministrator(string Id, string Name, DateTimeOffset Created, string CreatedBy, byte[] Digest);
}

/// <summary>Generated reader and writer of the document. Stateless.</summary>
[JsonSerializable(typeof(AdministratorsGrain.StoredAdministrators))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
internal sealed partial class AdministratorsJson : JsonSerializerContext;
