using Angarium.Contracts.Intake;

namespace Angarium.Api.Messages;

/// <summary>
/// What one request takes of the memory for messages that are arriving, all the copies that are made of it included: as much as has come, for many clients do not say beforehand how long it will be.
/// One request's; given back with it.
/// </summary>
internal sealed class BodyMemory(IMessageIntake intake) : IDisposable
{
    /// <summary>A message as it came, decoded, and as it is stored.</summary>
    private const int Copies = 3;

    private const long Least = 16 << 10;

    private readonly List<IDisposable> _reserved = [];
    private long _held;

    /// <summary>Makes sure of room for so many octets, in steps that double; false = there is none now.</summary>
    public bool TryHold(long octets)
    {
        if (octets <= _held && _held > 0) return true;
        var wanted = Math.Max(octets, Math.Max(Least, 2 * _held));
        if (intake.TryReserve(Copies * (wanted - _held)) is not { } reserved) return false;
        _reserved.Add(reserved);
        _held = wanted;
        return true;
    }

    public void Dispose()
    {
        foreach (var reserved in _reserved) reserved.Dispose();
    }
}
