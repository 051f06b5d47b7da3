using Microsoft.Extensions.DependencyInjection;

namespace Angarium.Host.Cluster;

/// <summary>
/// The time of Orleans' own loops: the process's clock, but for steps back; after one it goes on from where it was, at the pace of the monotonic clock, until the process's clock is ahead again.
/// Orleans waits for an hour of the wall: one that is set back an hour would keep a silo from its table, its probes and its sign of life, and a client from its list of gateways, for that long.
/// Any thread; nothing survives a crash.
/// </summary>
internal sealed class ForwardTime(TimeProvider time) : TimeProvider
{
    private readonly Lock _gate = new();
    private DateTimeOffset _told = time.GetUtcNow();
    private long _toldAt = time.GetTimestamp();

    public override TimeZoneInfo LocalTimeZone => time.LocalTimeZone;

    public override long TimestampFrequency => time.TimestampFrequency;

    public override DateTimeOffset GetUtcNow()
    {
        lock (_gate)
        {
            var (wall, at) = (time.GetUtcNow(), time.GetTimestamp());
            var steady = _told + time.GetElapsedTime(_toldAt, at);
            (_told, _toldAt) = (wall > steady ? wall : steady, at);
            return _told;
        }
    }

    public override long GetTimestamp() => time.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => time.CreateTimer(callback, state, dueTime, period);

    /// <summary>For everything of Orleans but the grains' own timers, which ask no wall.</summary>
    public static void Register(IServiceCollection services)
    {
        services.AddSingleton(provider => new ForwardTime(provider.GetRequiredService<TimeProvider>()));
        string[] areas = [TimeProviderNames.Membership, TimeProviderNames.SystemTimers, TimeProviderNames.Messaging, TimeProviderNames.ActivationManagement, TimeProviderNames.GrainDirectory];
        foreach (var area in areas) services.AddKeyedSingleton<TimeProvider>(area, (provider, _) => provider.GetRequiredService<ForwardTime>());
    }
}
