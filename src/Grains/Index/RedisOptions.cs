using Angarium.Contracts.Configuration;
using StackExchange.Redis;

namespace Angarium.Grains.Index;

/// <summary>The setting `Redis`: where the queue index of a cluster is. Nothing survives a crash but the file it came from.</summary>
public sealed record RedisOptions : IValidates
{
    private const string Help = "Redis (7 or later, with `maxmemory-policy noeviction`; it may lose anything at any time) of the queue index, for silos only: host:port[,host:port][,user=…][,password=…][,ssl=true], as StackExchange.Redis takes it. "
        + "Empty = the index is in memory; a cluster needs it.";

    /// <summary>A connection string of StackExchange.Redis.</summary>
    [Setting("Redis", Help, Secret = true)]
    public string Redis { get; init; } = "";

    public IEnumerable<string> Validate()
    {
        if (Redis.Length > 0 && TryParse() is null)
            yield return "Redis: is no connection string; write host:port[,host:port][,user=…][,password=…][,ssl=true], for example `redis.example:6380,password=…,ssl=true`.";
    }

    // What is wrong with it is not repeated: it may be the password.
    internal ConfigurationOptions? TryParse()
    {
        try
        {
            var parsed = ConfigurationOptions.Parse(Redis, ignoreUnknown: false);
            return parsed.EndPoints.Count > 0 ? parsed : null;
        }
        catch (Exception e) when (e is ArgumentException or FormatException)
        {
            return null;
        }
    }
}
