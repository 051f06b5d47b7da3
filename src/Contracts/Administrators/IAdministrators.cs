namespace Angarium.Contracts.Administrators;

/// <summary>The administrators' keys besides the one of the configuration. Key: 0. Role: api.</summary>
[Alias("angarium.IAdministrators")]
public interface IAdministrators : IGrainWithIntegerKey
{
    /// <summary>The id of a key; null = it is none.</summary>
    [Alias("Check")]
    Task<string?> Check(string key);

    [Alias("List")]
    Task<AdministratorView[]> List();

    /// <summary>Null = there are as many as there may be.</summary>
    [Alias("Add")]
    Task<NewAdministrator?> Add(string name);

    /// <summary>False = there is no such key.</summary>
    [Alias("Remove")]
    Task<bool> Remove(string id);
}

/// <summary>An administrator's key without its secret. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.AdministratorView")]
public sealed record AdministratorView([property: Id(0)] string Id, [property: Id(1)] string Name, [property: Id(2)] DateTimeOffset Created, [property: Id(3)] string CreatedBy);

/// <summary>A key that was made: the secret is shown once. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.NewAdministrator")]
public sealed record NewAdministrator([property: Id(0)] string Id, [property: Id(1)] string Secret)
{
    public override string ToString() => Id;
}
