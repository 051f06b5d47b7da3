using Prometheus;

namespace Angarium.Spool.Files;

/// <summary>
/// Whether the disk has room for new mail (`Spool:MinFree`): asked of the file system at most once a second or every 16 MiB, so it costs a commit nothing. Any thread.
/// </summary>
internal sealed class FreeSpace(IFileSystem files, string path, MinFree least, TimeProvider time)
{
    private static readonly TimeSpan Age = TimeSpan.FromSeconds(1);
    private const long Step = 16L << 20;

    private readonly Lock _gate = new();
    private FileSystemSpace _space;
    private long? _asked;
    private long _used;

    public bool HasRoomFor(long bytes)
    {
        lock (_gate)
        {
            if (_asked is not { } asked || _used >= Step || time.GetElapsedTime(asked) >= Age)
            {
                _space = files.Space(path);
                _asked = time.GetTimestamp();
                _used = 0;
                SpoolInstruments.FreeBytes.Set(_space.Free);
                SpoolInstruments.LeastBytes.Set(least.Of(_space.Total));
            }

            return _space.Free - _used - bytes >= least.Of(_space.Total);
        }
    }

    /// <summary>From now on it is looked at whenever metrics are collected, also while no mail comes.</summary>
    public FreeSpace Watched()
    {
        Metrics.DefaultRegistry.AddBeforeCollectCallback(() =>
        {
            try
            {
                HasRoomFor(0);
            }
            catch (IOException)
            {
                // The metric keeps what was known last; whoever wants to write says what is wrong.
            }
        });
        return this;
    }

    public void Used(long bytes)
    {
        lock (_gate) _used += bytes;
    }

    /// <summary>Something was given back, or the answer was wrong: ask again.</summary>
    public void Forget()
    {
        lock (_gate) _asked = null;
    }
}

/// <summary>The least free space: a share of the disk, or octets.</summary>
internal readonly record struct MinFree(double Share, long Octets)
{
    public long Of(long total) => Math.Max(Octets, (long)(total * Share));

    /// <summary>`10%`, or a number of octets.</summary>
    public static bool TryParse(string text, out MinFree value)
    {
        value = default;
        var invariant = System.Globalization.CultureInfo.InvariantCulture;
        if (text.EndsWith('%'))
        {
            if (!double.TryParse(text.AsSpan(0, text.Length - 1), System.Globalization.NumberStyles.AllowDecimalPoint, invariant, out var percent) || percent > 90) return false;
            value = new MinFree(percent / 100, 0);
            return true;
        }

        if (!long.TryParse(text, System.Globalization.NumberStyles.None, invariant, out var octets)) return false;
        value = new MinFree(0, octets);
        return true;
    }
}
