namespace Angarium.Grains.Sites;

/// <summary>What metrics say of one site. Written on its grain's turn, read by who collects.</summary>
internal sealed class SiteFigures
{
    private long _waiting, _suspendedAt;

    /// <summary>Messages that are due there.</summary>
    public long Waiting
    {
        get => Volatile.Read(ref _waiting);
        set => Volatile.Write(ref _waiting, value);
    }

    public bool IsSuspended
    {
        set
        {
            if (!value) Volatile.Write(ref _suspendedAt, 0);
            else if (Volatile.Read(ref _suspendedAt) == 0) Volatile.Write(ref _suspendedAt, Environment.TickCount64);
        }
    }

    /// <summary>How long nobody has got through; zero = somebody has.</summary>
    public TimeSpan SuspendedFor => Volatile.Read(ref _suspendedAt) is > 0 and var at ? TimeSpan.FromMilliseconds(Environment.TickCount64 - at) : TimeSpan.Zero;
}
