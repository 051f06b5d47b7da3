using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using Angarium.Contracts.Doctor;
using Angarium.Grains.Index;
using StackExchange.Redis;

namespace Angarium.Grains.Doctor;

/// <summary>Whether Redis is what silos need: there, near, of a version and with the policy that the index needs. Writes nothing. Runs once; no state.</summary>
public static class RedisDoctor
{
    private const int Asked = 20, LeastVersion = 7;

    private static readonly TimeSpan s_slow = TimeSpan.FromMilliseconds(10);

    /// <param name="options">Where it is.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async IAsyncEnumerable<Finding> ExamineAsync(RedisOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (options.TryParse() is not { } configuration) yield break;
        (configuration.AbortOnConnectFail, configuration.ConnectTimeout, configuration.AsyncTimeout, configuration.IncludeDetailInExceptions) = (true, 3_000, 5_000, false);
        foreach (var finding in await AskAsync(configuration).WaitAsync(cancellationToken)) yield return finding;
    }

    private static async Task<List<Finding>> AskAsync(ConfigurationOptions configuration)
    {
        var found = new List<Finding>();
        try
        {
            await using var redis = await ConnectionMultiplexer.ConnectAsync(configuration);
            var database = redis.GetDatabase();
            await database.PingAsync();
            var times = new List<TimeSpan>();
            for (var i = 0; i < Asked; i++)
            {
                var began = Stopwatch.GetTimestamp();
                await database.PingAsync();
                times.Add(Stopwatch.GetElapsedTime(began));
            }

            times.Sort();
            var text = string.Create(CultureInfo.InvariantCulture, $"answers in {times[Asked / 2].TotalMilliseconds:f1} ms, at most {times[^1].TotalMilliseconds:f1} ms");
            found.Add(times[Asked / 2] < s_slow ? Finding.Ok("Redis", text) : Finding.Warning("Redis", text, "Put it nearer: each batch of a queue waits for it."));
            var info = (await database.ExecuteAsync("INFO")).ToString() ?? "";
            var version = Value(info, "redis_version");
            if (int.TryParse(version.Split('.')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var major) && major < LeastVersion)
                found.Add(Finding.Failed("Redis version", version, $"The index needs Redis {LeastVersion} or later."));
            var policy = Value(info, "maxmemory_policy");
            found.Add(policy is "noeviction" or ""
                ? Finding.Ok("Redis memory", $"maxmemory-policy {(policy.Length > 0 ? policy : "is not told")}")
                : Finding.Failed("Redis memory", $"maxmemory-policy is {policy}: it throws queues away when it is full", "Set maxmemory-policy to noeviction."));
        }
        catch (Exception e) when (e is RedisException or TimeoutException)
        {
            found.Add(Finding.Failed("Redis", $"cannot be used: {e.Message.ReplaceLineEndings(" ")}", "Look at the setting Redis, and whether this machine reaches it. Fresh mail flows without it; what is deferred waits."));
        }

        return found;
    }

    private static string Value(string info, string name) => info.Split('\n').Select(line => line.Trim()).FirstOrDefault(line => line.StartsWith(name + ":", StringComparison.Ordinal)) is { } line ? line[(name.Length + 1)..] : "";
}
