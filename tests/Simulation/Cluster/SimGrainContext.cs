using System.Reflection;
using Angarium.Simulation.Kernel;
using Microsoft.Extensions.DependencyInjection;
using Orleans;
using Orleans.Core;
using Orleans.Runtime;
using Orleans.Serialization.Invocation;
using Orleans.Timers;

namespace Angarium.Simulation.Cluster;

/// <summary>What an activation sees of Orleans: its key, its timers, other grains, and its own end. Grain code runs in it unchanged, as steps of its silo's process.</summary>
internal sealed class SimGrainContext(SimProcess process, GrainId id, IGrainFactory grains, Action deactivate) : IGrainContext, IGrainRuntime, ITimerRegistry, IServiceProvider
{
    private static readonly MethodInfo s_set = typeof(IGrainContext).Assembly.GetType("Orleans.Runtime.RuntimeContext")!
        .GetMethods(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public).Single(m => m.Name == "SetExecutionContext");

    private static readonly MethodInfo s_reset = typeof(IGrainContext).Assembly.GetType("Orleans.Runtime.RuntimeContext")!
        .GetMethods(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public).Single(m => m.Name == "ResetExecutionContext");

    private readonly List<SimGrainTimer> _timers = [];

    public GrainId GrainId => id;

    public IServiceProvider ActivationServices => this;

    /// <summary>As Orleans: an activation that has ended calls nobody, and hears of it before anything has left.</summary>
    public IGrainFactory GrainFactory => IsOver ? throw new InvalidOperationException($"the activation of {id} has ended") : grains;

    public ITimerRegistry TimerRegistry => this;

    public IServiceProvider ServiceProvider => this;

    public TimeProvider TimeProvider => process.Time;

    public bool IsOver { get; private set; }

    GrainReference IGrainContext.GrainReference => throw new NotSupportedException();

    object IGrainContext.GrainInstance => throw new NotSupportedException();

    ActivationId IGrainContext.ActivationId => throw new NotSupportedException();

    GrainAddress IGrainContext.Address => throw new NotSupportedException();

    IGrainLifecycle IGrainContext.ObservableLifecycle => throw new NotSupportedException();

    IWorkItemScheduler IGrainContext.Scheduler => throw new NotSupportedException();

    Task IGrainContext.Deactivated => throw new NotSupportedException();

    string IGrainRuntime.SiloIdentity => process.Name;

    SiloAddress IGrainRuntime.SiloAddress => throw new NotSupportedException();

    /// <summary>Makes the grain, in this context.</summary>
    public T Create<T>(Func<T> make) where T : Grain
    {
        object?[] arguments = [this, null];
        s_set.Invoke(null, s_set.GetParameters().Length == 2 ? arguments : [this]);
        try
        {
            return make();
        }
        finally
        {
            s_reset.Invoke(null, [null]);
        }
    }

    public void End()
    {
        IsOver = true;
        foreach (var timer in _timers) timer.Dispose();
    }

    public object? GetService(Type serviceType) => serviceType == typeof(ITimerRegistry) || serviceType == typeof(IGrainRuntime) ? this : null;

    public IGrainTimer RegisterGrainTimer<TState>(IGrainContext grainContext, Func<TState, CancellationToken, Task> callback, TState state, GrainTimerCreationOptions options)
    {
        var timer = new SimGrainTimer(process, () => callback(state, CancellationToken.None));
        _timers.Add(timer);
        timer.Change(options.DueTime, options.Period);
        return timer;
    }

    public void DeactivateOnIdle(IGrainContext grainContext) => deactivate();

    public bool Equals(IGrainContext? other) => ReferenceEquals(this, other);

    void IGrainRuntime.DelayDeactivation(IGrainContext grainContext, TimeSpan timeSpan)
    {
    }

    IDisposable ITimerRegistry.RegisterTimer(IGrainContext grainContext, Func<object?, Task> asyncCallback, object? state, TimeSpan dueTime, TimeSpan period) => throw new NotSupportedException();

    IStorage<TGrainState> IGrainRuntime.GetStorage<TGrainState>(IGrainContext grainContext) => throw new NotSupportedException();

    void IGrainContext.SetComponent<TComponent>(TComponent? value) where TComponent : class => throw new NotSupportedException();

    void IGrainContext.ReceiveMessage(object message) => throw new NotSupportedException();

    void IGrainContext.Activate(Dictionary<string, object>? requestContext, CancellationToken cancellationToken) => throw new NotSupportedException();

    void IGrainContext.Deactivate(DeactivationReason deactivationReason, CancellationToken cancellationToken) => deactivate();

    void IGrainContext.Rehydrate(IRehydrationContext context) => throw new NotSupportedException();

    void IGrainContext.Migrate(Dictionary<string, object>? requestContext, CancellationToken cancellationToken) => throw new NotSupportedException();

    object? ITargetHolder.GetTarget() => null;

    object? ITargetHolder.GetComponent(Type componentType) => null;

    /// <summary>A grain's timer: the period counts from the end of the callback.</summary>
    private sealed class SimGrainTimer(SimProcess process, Func<Task> callback) : IGrainTimer
    {
        private object? _shot;

        public void Change(TimeSpan dueTime, TimeSpan period)
        {
            var shot = _shot = new object();
            if (dueTime == Timeout.InfiniteTimeSpan) return;
            process.At((long)Math.Ceiling(dueTime.TotalMilliseconds), () => Fire(shot, period));
        }

        public void Dispose() => _shot = null;

        private async void Fire(object shot, TimeSpan period)
        {
            if (_shot != shot) return;
            try
            {
                await callback();
            }
            catch (Exception fault)
            {
                process.Loop.Failed(fault);
            }

            if (_shot == shot && period != Timeout.InfiniteTimeSpan) process.At((long)Math.Ceiling(period.TotalMilliseconds), () => Fire(shot, period));
        }
    }
}
