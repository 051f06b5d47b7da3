namespace Angarium.Contracts.Configuration;

/// <summary>The options record in force. Only properties marked as reloading ever differ from those at start. Any thread.</summary>
public interface ISettings<out T> where T : class
{
    T Current { get; }

    /// <summary>Called after <see cref="Current"/> has changed, on a pool thread. Dispose to stop.</summary>
    IDisposable OnChange(Action<T> listener);
}

/// <summary>Settings that never change: for tests and for records built in code.</summary>
public sealed class FixedSettings<T>(T value) : ISettings<T> where T : class
{
    public T Current { get; } = value;

    public IDisposable OnChange(Action<T> listener) => Nothing.Instance;

    private sealed class Nothing : IDisposable
    {
        public static readonly Nothing Instance = new();

        public void Dispose() { }
    }
}
