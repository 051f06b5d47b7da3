using Angarium.Api.Messages;
using Angarium.Contracts.Intake;

namespace Angarium.Unit.Api;

/// <summary>A body's memory is taken as it comes, with its copies, and given back whole.</summary>
public sealed class BodyMemoryTests : IMessageIntake
{
    private const long Room = 1 << 20;

    private long _taken;

    [Fact]
    public void Hold_AsItComes_HasRoomForItsCopies_AndGivesAllBack()
    {
        using (var memory = new BodyMemory(this))
        {
            for (var octets = 0L; octets <= 100_000; octets += 1_000)
            {
                Assert.True(memory.TryHold(octets));
                Assert.True(_taken >= 3 * octets && _taken <= Math.Max(3 * (16 << 10), 6 * octets), $"{_taken} for {octets}");
            }

            Assert.False(memory.TryHold(Room));
            Assert.True(memory.TryHold(100_000));
        }

        Assert.Equal(0, _taken);
    }

    [Fact]
    public void Hold_WithoutRoom_IsRefusedAlsoForNothing()
    {
        _taken = Room;
        using var memory = new BodyMemory(this);
        Assert.False(memory.TryHold(0));
    }

    public ValueTask<IntakeLogin> LoginAsync(string key) => throw new NotSupportedException();

    public IDisposable? TryReserve(long octets)
    {
        if (_taken + octets > Room) return null;
        _taken += octets;
        return new Reserved(() => _taken -= octets);
    }

    public ValueTask<IntakeAnswer> SubmitAsync(IntakeMessage message) => throw new NotSupportedException();

    private sealed class Reserved(Action giveBack) : IDisposable
    {
        public void Dispose() => giveBack();
    }
}
