using System.IO.Pipelines;
using System.Net;

namespace Angarium.Ingress.Sessions;

/// <summary>Why the watch ended a session.</summary>
internal enum SessionEnd { None, Timeout, Shutdown, Overload }

/// <summary>
/// One connection as the registry sees it. Its session says when it waits for the client and whether that is between transactions; the registry's timer ends a
/// wait that is too long, or, on shutdown, one between transactions. The two meet in one word that is swapped atomically: a session that was ended always ends.
/// </summary>
internal sealed class ConnectionWatch(IPAddress client, bool isTrusted, TimeProvider time, Action abort)
{
    private const int Working = 0, Idle = 1, Waiting = 2, Ended = 3;
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(10);

    private volatile IDuplexPipe? _pipe;
    private int _state;
    private long _since = time.GetTimestamp();

    public IPAddress Client { get; } = client;

    public bool IsTrusted { get; } = isTrusted;

    /// <summary>Why it was ended, once <see cref="Resume"/> has said false.</summary>
    public SessionEnd End { get; private set; }

    /// <summary>The pipe whose waits can be ended: again after STARTTLS.</summary>
    public void Attach(IDuplexPipe pipe) => _pipe = pipe;

    /// <summary>The client has done its part: its time begins anew. Octets alone are no progress.</summary>
    public void Progress()
    {
        if (Volatile.Read(ref _state) != Ended) Volatile.Write(ref _since, time.GetTimestamp());
    }

    /// <summary>The session is about to wait for the client; false = it has been ended.</summary>
    public bool Wait(bool isIdle) => Interlocked.CompareExchange(ref _state, isIdle ? Idle : Waiting, Working) == Working;

    /// <summary>The wait is over; false = this session has been ended.</summary>
    public bool Resume()
    {
        var before = Interlocked.CompareExchange(ref _state, Working, Idle);
        return before == Idle || before != Ended && Interlocked.CompareExchange(ref _state, Working, Waiting) != Ended;
    }

    /// <summary>Called about once a second.</summary>
    public void Check(TimeSpan limit, SessionEnd idleEnd)
    {
        var state = Volatile.Read(ref _state);
        var waited = time.GetElapsedTime(Volatile.Read(ref _since));
        if (state == Ended && waited > Farewell) abort();
        else if (state == Idle && idleEnd != SessionEnd.None) TryEnd(Idle, idleEnd);
        else if (state is Idle or Waiting && waited > limit) TryEnd(state, SessionEnd.Timeout);
    }

    public void Abort() => abort();

    private void TryEnd(int from, SessionEnd end)
    {
        End = end;
        if (Interlocked.CompareExchange(ref _state, Ended, from) != from) return;
        Volatile.Write(ref _since, time.GetTimestamp());
        var pipe = _pipe;
        try
        {
            pipe?.Input.CancelPendingRead();
            pipe?.Output.CancelPendingFlush();
        }
        catch (ObjectDisposedException)
        {
            // Woken by the first, its session was quicker than the second: it has ended, and its TLS with it.
        }
    }
}
