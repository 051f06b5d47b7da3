using Angarium.Mail;

namespace Angarium.Simulation.Kernel;

/// <summary>
/// One process: the context that its code comes back to after each await, its clocks, and what a fault has made of it. A kill is that none of its steps runs any more; a pause, that they wait;
/// a freeze of its machine, that its clocks do not notice.
/// </summary>
internal sealed class SimProcess : SynchronizationContext
{
    public SimProcess(SimLoop loop, string name)
    {
        (Loop, Name, Id) = (loop, name, ++loop.Processes);
        Time = new SimTime(this);
        Clock = new SimClock(this);
    }

    public SimLoop Loop { get; }

    public string Name { get; }

    public int Id { get; }

    public SimTime Time { get; }

    public SimClock Clock { get; }

    public bool IsDead { get; private set; }

    public StoreTime PausedUntil { get; private set; }

    /// <summary>Its last pause, or the time that it was cut off: what it held then may be anybody's by now.</summary>
    public StoreTime OutFrom { get; set; }

    public StoreTime OutUntil { get; set; }

    public StoreTime UnawareUntil { get; private set; }

    /// <summary>Processes reach each other when they are on the same island; the stores are on island 0.</summary>
    public int Island { get; set; }

    public void Kill() => IsDead = true;

    public void Pause(TimeSpan how, bool unnoticed)
    {
        // What stands still cannot be stopped.
        if (IsDead || PausedUntil > Loop.Now) return;
        PausedUntil = Loop.Now + how;
        if (unnoticed) Time.Freeze(how);
        Out(how);
        if (!unnoticed) return;
        // Clocks that stood still are believed until the store's time has shown otherwise twice.
        UnawareUntil = Loop.Now + how + TimeSpan.FromSeconds(45);
        Out(how + TimeSpan.FromSeconds(45));
    }

    public void Out(TimeSpan how)
    {
        if (OutUntil < Loop.Now) OutFrom = Loop.Now;
        OutUntil = StoreTime.Max(OutUntil, Loop.Now + how);
    }

    public override void Post(SendOrPostCallback d, object? state) => Loop.Enqueue(this, 0, d, state);

    public override void Send(SendOrPostCallback d, object? state) => d(state);

    public override SynchronizationContext CreateCopy() => this;

    public void At(long delay, Action step) => Loop.Enqueue(this, delay, static s => ((Action)s!)(), step);

    /// <summary>Starts work that nobody awaits, as a step of its own; a fault of it is the fault of the run.</summary>
    public void Start(Func<Task> work) => At(0, () => Watch(work));

    /// <summary>Does it now, in this process's context.</summary>
    public void Run(Action work)
    {
        var before = Current;
        SetSynchronizationContext(this);
        work();
        SetSynchronizationContext(before);
    }

    public Task Delay(long milliseconds)
    {
        var done = new TaskCompletionSource();
        At(Math.Max(1, milliseconds), done.SetResult);
        return done.Task;
    }

    public Task Delay(int least, int most) => Delay(Loop.Random.Next(least, most + 1));

    private async void Watch(Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (Exception fault)
        {
            Loop.Failed(fault);
        }
    }
}
