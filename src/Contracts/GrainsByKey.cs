using Orleans.Runtime;

namespace Angarium.Contracts;

/// <summary>
/// References to the grains of one interface, for the path of a message. The framework's GetGrain finds out by reflection at each call what it is asked for, which costs more than many a call to the
/// grain; here the first reference tells it for all others. Any thread; nothing survives a crash.
/// </summary>
public sealed class GrainsByKey<TGrain>(IGrainFactory grains)
    where TGrain : IGrainWithStringKey
{
    private GrainReference? _first;

    public TGrain this[string key]
    {
        get
        {
            if (Volatile.Read(ref _first) is { } first) return (TGrain)grains.GetGrain(GrainId.Create(first.GrainId.Type, key), first.InterfaceType);
            var grain = grains.GetGrain<TGrain>(key);
            if ((object)grain is GrainReference reference) Volatile.Write(ref _first, reference);
            return grain;
        }
    }
}
