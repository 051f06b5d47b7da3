using Angarium.Grains.Index;
using Microsoft.Extensions.Logging.Abstractions;

namespace Angarium.Contract.Index;

/// <summary>Makes indexes in Redis for tests.</summary>
internal static class RedisIndexes
{
    public static RedisQueueIndex New(string redis, string cluster = "test") =>
        new(new RedisOptions { Redis = redis }.TryParse()!, cluster, () => (ulong)Random.Shared.NextInt64(long.MinValue, long.MaxValue), NullLogger<RedisQueueIndex>.Instance);
}
