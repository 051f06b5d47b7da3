using System.Diagnostics;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Angarium.Grains.Index;

/// <summary>
/// The connection to Redis: made at the first call, made again by itself for as long as it takes, and never waited for: a call ends within 5 s. Whatever goes
/// wrong is an <see cref="IOException"/> of one line without secrets; what a call did that was not answered is then unknown. Any thread; nothing survives a crash.
/// </summary>
internal sealed partial class RedisLink(ConfigurationOptions configuration, ILogger log) : IAsyncDisposable
{
    private const CommandFlags Primary = CommandFlags.DemandMaster;
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(5);

    private readonly ConfigurationOptions _configuration = Fit(configuration);
    private readonly Lock _gate = new();
    private Task<ConnectionMultiplexer>? _connecting;
    private int _isDown;
    private long _lookedAt;
    private bool _isDisposed;

    /// <summary>One command; one more after Redis forgot the script.</summary>
    public async ValueTask<RedisResult> EvaluateAsync(RedisScript script, RedisKey[] keys, RedisValue[] values, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var began = Stopwatch.GetTimestamp();
        try
        {
            var result = await RunAsync(script, keys, values).WaitAsync(Bound, cancellationToken);
            IndexInstruments.Answered(began);
            return result;
        }
        catch (Exception e) when (IsSlots(e))
        {
            throw new RedisSlotsException();
        }
        catch (Exception e) when (Describe(e) is { } line)
        {
            IndexInstruments.Failed(began);
            throw new IOException(line);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Task<ConnectionMultiplexer>? connecting;
        lock (_gate)
        {
            _isDisposed = true;
            connecting = _connecting;
        }

        if (connecting is null) return;
        try
        {
            await using var redis = await connecting;
            // What Redis has not answered by now, nobody waits for.
            await redis.CloseAsync(allowCommandsToComplete: false);
        }
        catch (RedisException)
        {
            // There is no connection to close.
        }
    }

    private static ConfigurationOptions Fit(ConfigurationOptions configuration)
    {
        var fit = configuration.Clone();
        fit.AbortOnConnectFail = false;
        fit.ConnectTimeout = Math.Min(fit.ConnectTimeout, 3_000);
        fit.AsyncTimeout = (int)Bound.TotalMilliseconds;
        // Nothing queues up while there is no connection: the callers' own memory is bounded, and they come again.
        fit.BacklogPolicy = BacklogPolicy.FailFast;
        fit.ReconnectRetryPolicy = new LinearRetry(1_000);
        // A role that changed is noticed by a call that fails, and within this time without.
        fit.ConfigCheckSeconds = 10;
        fit.ClientName ??= "angarium";
        fit.IncludeDetailInExceptions = false;
        return fit;
    }

    private async Task<RedisResult> RunAsync(RedisScript script, RedisKey[] keys, RedisValue[] values)
    {
        var redis = await ConnectAsync();
        var database = redis.GetDatabase();
        try
        {
            return await database.ScriptEvaluateAsync(script.Hash, keys, values, Primary);
        }
        catch (RedisServerException e) when (e.Message.StartsWith("NOSCRIPT", StringComparison.Ordinal))
        {
            return await database.ScriptEvaluateAsync(script.Text, keys, values, Primary | CommandFlags.NoScriptCache);
        }
        catch (RedisException e) when (e is RedisConnectionException || e.Message.Contains("READONLY", StringComparison.Ordinal))
        {
            LookAgain(redis);
            throw;
        }
    }

    private Task<ConnectionMultiplexer> ConnectAsync()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            return _connecting is null or { IsFaulted: true } or { IsCanceled: true } ? _connecting = OpenAsync() : _connecting;
        }
    }

    private async Task<ConnectionMultiplexer> OpenAsync()
    {
        var redis = await ConnectionMultiplexer.ConnectAsync(_configuration);
        redis.ConnectionFailed += (_, e) =>
        {
            if (e.ConnectionType == ConnectionType.Interactive && Interlocked.Exchange(ref _isDown, 1) == 0) LogLost(log, e.EndPoint, e.FailureType);
        };
        redis.ConnectionRestored += (_, e) =>
        {
            if (e.ConnectionType == ConnectionType.Interactive && Interlocked.Exchange(ref _isDown, 0) == 1) LogRestored(log, e.EndPoint);
        };
        return redis;
    }

    // The primary may be another now: found by asking all of them again, at most once a second.
    private void LookAgain(ConnectionMultiplexer redis)
    {
        var now = Environment.TickCount64;
        var last = Volatile.Read(ref _lookedAt);
        if (now - last < 1_000 || Interlocked.CompareExchange(ref _lookedAt, now, last) != last) return;
        _ = redis.ConfigureAsync().ContinueWith(t => t.Exception, TaskScheduler.Default);
    }

    // Said by a cluster, by the client on behalf of one, or by a proxy that looks like one server.
    private static bool IsSlots(Exception e) =>
        e is RedisServerException && e.Message.Contains("CROSSSLOT", StringComparison.Ordinal) || e is RedisCommandException && e.Message.Contains("slot", StringComparison.Ordinal);

    private static string? Describe(Exception e) => e switch
    {
        RedisTimeoutException or TimeoutException => $"Redis did not answer within {Bound.TotalSeconds} s",
        RedisConnectionException c => $"Redis cannot be reached ({c.FailureType})",
        RedisServerException s => $"Redis refused: {OneLine(s.Message)}",
        RedisException or RedisCommandException => $"Redis cannot be used: {OneLine(e.Message)}",
        ObjectDisposedException => "Redis is no longer used: the process ends",
        _ => null,
    };

    private static string OneLine(string message)
    {
        var end = message.IndexOf(" script: ", StringComparison.Ordinal);
        var text = (end < 0 ? message : message[..end]).ReplaceLineEndings(" ");
        return text.Length <= 160 ? text : text[..160] + "…";
    }

    [LoggerMessage(2801, LogLevel.Warning, "The connection to Redis at {EndPoint} is lost ({Failure}); fresh mail goes on, retries wait until it is back")]
    private static partial void LogLost(ILogger logger, System.Net.EndPoint? endPoint, ConnectionFailureType failure);

    [LoggerMessage(2802, LogLevel.Information, "The connection to Redis at {EndPoint} is back")]
    private static partial void LogRestored(ILogger logger, System.Net.EndPoint? endPoint);
}
