namespace Angarium.Host.Serving;

/// <summary>Whether the listeners of this process's roles accept. Set by start and stop; read by `/readyz` on any thread.</summary>
internal sealed class Readiness
{
    private volatile bool _accepting;

    public bool IsAccepting => _accepting;

    public void Set(bool accepting) => _accepting = accepting;
}
