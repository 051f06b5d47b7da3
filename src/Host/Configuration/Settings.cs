using Angarium.Contracts.Configuration;

namespace Angarium.Host.Configuration;

/// <summary>The record in force. Read on any thread; changed by <see cref="LiveSettings"/> alone.</summary>
internal sealed class Settings<T>(T current) : ISettings<T>, ISettingsSlot where T : class
{
    private readonly Lock _lock = new();
    private Action<T>[] _listeners = [];
    private volatile T _current = current;

    public T Current => _current;

    object ISettingsSlot.Current => _current;

    public IDisposable OnChange(Action<T> listener)
    {
        lock (_lock) _listeners = [.. _listeners, listener];
        return new Subscription(this, listener);
    }

    void ISettingsSlot.Take(object record)
    {
        _current = (T)record;
        foreach (var listener in _listeners) listener(_current);
    }

    private sealed class Subscription(Settings<T> owner, Action<T> listener) : IDisposable
    {
        public void Dispose()
        {
            lock (owner._lock) owner._listeners = [.. owner._listeners.Where(other => other != listener)];
        }
    }
}

/// <summary>A <see cref="Settings{T}"/> without its type.</summary>
internal interface ISettingsSlot
{
    object Current { get; }

    void Take(object record);
}
