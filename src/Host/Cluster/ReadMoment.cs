namespace Angarium.Host.Cluster;

/// <summary>
/// When something was done, by both clocks: the wall clock counts while a machine is frozen, the monotonic one while the wall clock is set back; of the two the larger tells how long ago
/// it surely may be. A value.
/// </summary>
internal readonly record struct ReadMoment(DateTimeOffset Wall, long Monotonic)
{
    public static ReadMoment Now(TimeProvider time) => new(time.GetUtcNow(), time.GetTimestamp());

    public TimeSpan Elapsed(TimeProvider time)
    {
        var wall = time.GetUtcNow() - Wall;
        var monotonic = time.GetElapsedTime(Monotonic);
        return wall > monotonic ? wall : monotonic;
    }
}
