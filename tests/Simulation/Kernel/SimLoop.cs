using Angarium.Mail;

namespace Angarium.Simulation.Kernel;

/// <summary>
/// One thread and one true time: whatever the simulated processes do is a step of this loop, in an order that the seed alone decides. A step belongs to a process: those of one that is
/// dead never run, those of one that is paused wait.
/// </summary>
internal sealed class SimLoop
{
    private readonly PriorityQueue<Step, (long At, long Order)> _later = new();
    private readonly Queue<Step> _now = new();
    private readonly int _thread = Environment.CurrentManagedThreadId;
    private long _order;
    private long _time = 1_700_000_000_000;

    public SimLoop(int seed)
    {
        Random = new Random(seed);
        Outside = new SimProcess(this, "outside");
    }

    public Random Random { get; }

    /// <summary>What is no process of the relay: stores, peers, clients, and whoever makes the faults. Never paused, never killed.</summary>
    public SimProcess Outside { get; }

    public StoreTime Now => new(_time);

    public long Steps { get; private set; }

    /// <summary>A number that differs when anything happened in another order or at another time.</summary>
    public ulong Trail { get; private set; } = 14695981039346656037;

    public Exception? Fault { get; private set; }

    public int Processes { get; set; }

    public void Failed(Exception fault) => Fault ??= fault;

    public ulong Draw() => (ulong)Random.NextInt64(long.MinValue, long.MaxValue);

    public bool Chance(double likelihood) => likelihood > 0 && Random.NextDouble() < likelihood;

    public void Enqueue(SimProcess process, long delay, SendOrPostCallback callback, object? state)
    {
        if (Environment.CurrentManagedThreadId != _thread) Failed(new InvalidOperationException("a step was asked for on another thread: " + Environment.StackTrace));
        if (delay <= 0) _now.Enqueue(new Step(process, callback, state));
        else _later.Enqueue(new Step(process, callback, state), (_time + delay, _order++));
    }

    public void Run(Func<bool> until, TimeSpan limit)
    {
        var before = SynchronizationContext.Current;
        var end = _time + (long)limit.TotalMilliseconds;
        try
        {
            while (Fault is null && !until())
            {
                if (!_now.TryDequeue(out var step))
                {
                    if (!_later.TryDequeue(out step, out var key) || key.At > end) break;
                    _time = Math.Max(_time, key.At);
                }

                var process = step.Process;
                if (process.IsDead) continue;
                if (process.PausedUntil > Now)
                {
                    _later.Enqueue(step, (process.PausedUntil.Milliseconds, _order++));
                    continue;
                }

                Steps++;
                Trace?.Add($"{_time - 1_700_000_000_000} {process.Name} {Describe(step)}");
                Trail = (Trail ^ (ulong)_time * 31 ^ (ulong)process.Id) * 1099511628211;
                SynchronizationContext.SetSynchronizationContext(process);
                step.Callback(step.State);
            }
        }
        catch (Exception fault)
        {
            Failed(fault);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    public List<string>? Trace { get; set; }

    private static string Describe(Step step) => step.State switch
    {
        Action action => action.Method.DeclaringType?.FullName + " " + action.Method.Name,
        Delegate other => other.Method.DeclaringType?.FullName + " " + other.Method.Name,
        { } state => state.GetType().ToString(),
        null => step.Callback.Method.Name,
    };

    private readonly record struct Step(SimProcess Process, SendOrPostCallback Callback, object? State);
}
