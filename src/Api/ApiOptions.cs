using Angarium.Contracts.Configuration;

namespace Angarium.Api;

/// <summary>The settings of the role `api`. Immutable.</summary>
public sealed record ApiOptions : IValidates
{
    private const int LeastKey = 24;

    [Setting("Api:AdministratorKey", "File with the administrator's key of the API, at least 24 characters. Without it nobody is one.", DefaultText = "none; in development one is drawn at each start and printed", Reloads = true)]
    public string AdministratorKey { get; init; } = "";

    [Setting("Api:RequestsPerSecond", "Requests a second of one key; beyond: 429. Three seconds of them may come at once.", Min = 1, Max = 100_000, Reloads = true)]
    public int RequestsPerSecond { get; init; } = 20;

    public IEnumerable<string> Validate()
    {
        if (AdministratorKey.Length == 0) yield break;
        var error = "";
        try
        {
            if (File.ReadAllText(AdministratorKey).Trim().Length >= LeastKey) yield break;
            error = $"holds fewer than {LeastKey} characters; make one with `openssl rand -hex 24`";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            error = "cannot be read; name a file that this user may read";
        }

        yield return $"Api:AdministratorKey: {AdministratorKey} {error}";
    }
}
