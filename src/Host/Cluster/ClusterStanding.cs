using Angarium.Grains.Membership;

namespace Angarium.Host.Cluster;

/// <summary>
/// Whether this silo's own row was active in a membership document whose reading began within the last 10 s (design rules 14, 16, 21): who would replace it reads the same document. Told of
/// every document that <see cref="MembershipStore"/> sees; any thread. Nothing survives a crash: a silo that starts again has a new row.
/// </summary>
internal sealed class ClusterStanding(TimeProvider time) : IStanding
{
    private static readonly TimeSpan s_confirmedFor = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private SiloAddress? _own;
    private Func<CancellationToken, Task>? _read;
    private ReadMoment? _confirmed, _member;
    private int _version = -1;
    private bool _dead;

    public bool IsSoleProcess => false;

    public bool IsConfirmed
    {
        get
        {
            lock (_gate) return IsRecent(_confirmed);
        }
    }

    public bool IsMember
    {
        get
        {
            lock (_gate) return IsRecent(_member);
        }
    }

    /// <summary>The row to look for, once the silo has its address, and how the document is read at once. Before that nothing is confirmed.</summary>
    public void Take(SiloAddress own, Func<CancellationToken, Task> read)
    {
        lock (_gate) (_own, _read) = (own, read);
    }

    public async Task<bool> ConfirmAsync(CancellationToken cancellationToken)
    {
        Func<CancellationToken, Task>? read;
        lock (_gate) read = _read;
        try
        {
            if (read is not null) await read(cancellationToken);
        }
        catch (OperationCanceledException late) when (!cancellationToken.IsCancellationRequested)
        {
            throw new IOException("The membership document was not read in time", late);
        }

        return IsConfirmed;
    }

    public void See(MembershipDocument document, ReadMoment began)
    {
        lock (_gate)
        {
            // A read that was overtaken says nothing new.
            if (_own is null || document.Version < _version) return;
            _version = document.Version;
            var status = document.Find(_own)?.Status;

            // Dead is for ever: the next life has another generation.
            _dead |= status == SiloStatus.Dead;
            _confirmed = status == SiloStatus.Active ? Later(_confirmed, began) : null;
            _member = status is SiloStatus.Active or SiloStatus.ShuttingDown or SiloStatus.Stopping ? Later(_member, began) : null;
        }
    }

    private static ReadMoment Later(ReadMoment? one, ReadMoment other) => one is { } before && before.Monotonic >= other.Monotonic ? before : other;

    private bool IsRecent(ReadMoment? read) => !_dead && read is { } began && began.Elapsed(time) <= s_confirmedFor;
}
