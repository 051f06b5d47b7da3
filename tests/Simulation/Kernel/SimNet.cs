using Angarium.Mail;

namespace Angarium.Simulation.Kernel;

/// <summary>
/// What lies between processes and to the stores: every call takes time, may be lost on either way, come late, or not be possible at all while its ends are on different islands.
/// Each way is a step of its own at the process where it arrives.
/// </summary>
internal sealed class SimNet(SimLoop loop)
{
    private const int Usual = 20;

    /// <summary>Likelihood that a call goes wrong on each way.</summary>
    public double Trouble { get; set; }

    public static bool Reaches(SimProcess from, SimProcess to) => from == to || from.Island == to.Island;

    /// <summary>A call from process to process: default = no answer within the limit.</summary>
    public Task<T> CallAsync<T>(SimProcess from, SimProcess to, Func<Task<T>> work, int limit)
    {
        var done = new TaskCompletionSource<T>();
        from.At(limit, () => done.TrySetException(new TimeoutException($"no answer from {to.Name} within {limit} ms")));
        if (from != to && (!Reaches(from, to) || loop.Chance(Trouble))) return done.Task;
        to.At(from == to ? 0 : Way(), () => Serve(from, to, work, done));
        return done.Task;
    }

    /// <summary>A request to a store: done, lost before or after it was done, or done when its caller has long given up.</summary>
    public Task<T> AskAsync<T>(SimProcess from, SimStoreLink store, Func<T> work)
    {
        var done = new TaskCompletionSource<T>();
        Ask(from, store, work, result => done.TrySetResult(result), failure => done.TrySetException(failure));
        return done.Task;
    }

    /// <summary>As <see cref="AskAsync"/>; default = no reply. What the world asks for itself all the time need not cost an exception.</summary>
    public Task<T?> TryAskAsync<T>(SimProcess from, SimStoreLink store, Func<T> work)
    {
        var done = new TaskCompletionSource<T?>();
        Ask(from, store, work, result => done.TrySetResult(result), _ => done.TrySetResult(default));
        return done.Task;
    }

    private void Ask<T>(SimProcess from, SimStoreLink store, Func<T> work, Action<T> done, Action<Exception> failed)
    {
        if (from.Island != 0 || store.IsDownFor(from))
        {
            from.At(loop.Random.Next(1, store.Limit), () => failed(new IOException($"{store.Name}: not reached")));
            return;
        }

        var fate = loop.Chance(Trouble) ? loop.Random.Next(4) : -1;
        if (fate >= 0) from.At(store.Limit, () => failed(new IOException($"{store.Name}: no reply")));
        if (fate == 0) return;
        var way = fate switch { 2 => loop.Random.Next(store.Limit, store.Limit * 12), 3 => loop.Random.Next(0, store.Limit), _ => loop.Random.Next(0, store.Usual) };
        loop.Outside.At(way, () =>
        {
            if (fate == 2) store.LateAt = loop.Now;
            T result;
            try
            {
                result = work();
            }
            catch (Exception refusal) when (refusal is IOException or Spool.Ledger.LedgerConflictException)
            {
                if (fate is -1 or 3) from.At(loop.Random.Next(0, store.Usual), () => failed(refusal));
                return;
            }

            if (fate is -1 or 3 && from.Island == 0) from.At(loop.Random.Next(0, store.Usual), () => done(result));
            else if (fate == -1) from.At(store.Limit, () => failed(new IOException($"{store.Name}: no reply")));
        });
    }

    public int Way() => loop.Chance(Trouble) ? loop.Random.Next(0, 4_000) : loop.Random.Next(1, Usual);

    private async void Serve<T>(SimProcess from, SimProcess to, Func<Task<T>> work, TaskCompletionSource<T> done)
    {
        T? result = default;
        Exception? failure = null;
        try
        {
            result = await work();
        }
        catch (Exception e)
        {
            failure = e;
        }

        if (from != to && (!Reaches(from, to) || loop.Chance(Trouble))) return;
        from.At(from == to ? 0 : Way(), () => _ = failure is null ? done.TrySetResult(result!) : done.TrySetException(failure));
    }
}

/// <summary>A store as its callers meet it: how long it usually takes, and when they give up.</summary>
internal sealed class SimStoreLink(SimLoop loop, string name, int usual, int limit)
{
    private readonly Dictionary<SimProcess, StoreTime> _kept = [];

    public string Name => name;

    public int Usual => usual;

    public int Limit => limit;

    public StoreTime DownUntil { get; set; }

    /// <summary>When a request last took effect that its caller had given up.</summary>
    public StoreTime LateAt { get; set; }

    public bool IsDown => DownUntil > loop.Now;

    public bool IsDownFor(SimProcess process) => IsDown || _kept.TryGetValue(process, out var until) && until > loop.Now;

    /// <summary>The process does not reach it until then.</summary>
    public void Keep(SimProcess process, StoreTime until) => _kept[process] = until;
}
