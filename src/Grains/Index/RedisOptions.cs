using Angarium.Contracts.Configuration;
using StackExchange.Redis;

namespace Angarium.Grains.Index;

/// <summary>Where the queue index is. A value; nothing survives a crash but the file it came from.</summary>
public sealed record RedisOptions : IValidates
{
    [Setting("Redis", "Redis of the queue index, for silos only: a connection string of StackExchange.Redis, host:port[,host:port][,user=…][,password=…][,ssl=true]. Empty = the index is in memory.", Secret = true)]
    public string Redis { get; init; } = "";

    public IEnumerable<string> Validate()
    {
        if (Redis.Length > 0 && TryParse() is null)
            yield return "Redis is no connection string: write host:port[,host:port][,user=…][,password=…][,ssl=true], for example redis.example:6380,password=…,ssl=true";
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
