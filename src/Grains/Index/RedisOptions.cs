using StackExchange.Redis;

namespace Angarium.Grains.Index;

/// <summary>The setting `Redis`: where the queue index of a cluster is. The host binds it; nothing survives a crash but the file it came from.</summary>
public sealed record RedisOptions
{
    /// <summary>For the reference of settings.</summary>
    public const string Help = "Redis (6.2 or later, `noeviction`) of the queue index, for silos only: host:port[,host:port][,user=…][,password=…][,ssl=true], as StackExchange.Redis takes it. "
        + "Empty = the index is in memory, and there is one process.";

    /// <summary>A connection string of StackExchange.Redis.</summary>
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
