using Angarium.Contracts.Intake;
using Angarium.Ingress.HandOver;
using Angarium.Simulation.Cluster;
using Angarium.Simulation.Kernel;
using Angarium.Simulation.Stores;
using Angarium.Spool.Packs;
using Microsoft.Extensions.Logging.Abstractions;

namespace Angarium.Simulation.World;

/// <summary>One ingress process: the real pack writer and hand-over, fed by clients that never send again.</summary>
internal sealed class SimIngress
{
    private readonly SimWorld _world;
    private readonly PackWriter _writer;
    private readonly OfferDispatcher _dispatcher;

    public SimIngress(SimWorld world, string name)
    {
        _world = world;
        var process = Process = new SimProcess(world.Loop, name);
        world.KeepTime(process);
        OfferDispatcher? dispatcher = null;
        PackWriter? writer = null;
        // Made in the process's own context: the hand-over's loop runs from here on.
        process.Run(() =>
        {
            dispatcher = new OfferDispatcher(new SimGrains(world, process), () => process.Clock.Now, NullLogger<OfferDispatcher>.Instance);
            writer = new PackWriter(new SimPackStore(world, process), new PackCache(0), process.Clock, process.Time, TimeSpan.FromMilliseconds(world.Loop.Random.Next(2) * 100), NullLogger.Instance, world.DrawWriter)
            {
                Listener = new CommitHandOver(dispatcher),
            };
        });
        (_dispatcher, _writer) = (dispatcher!, writer!);
    }

    public SimProcess Process { get; }

    public long LeftToSweep => _dispatcher.LeftToSweep;

    /// <summary>A client's message; what it is told is noted when it hears it.</summary>
    public void Send(NewMessage message) => Process.At(_world.Net.Way(), () => SendNow(message));

    private async void SendNow(NewMessage message)
    {
        var receipt = await _writer.CommitAsync(message with { Envelope = message.Envelope with { Accepted = Process.Clock.Now } }, default);
        _world.Loop.Outside.At(_world.Net.Way(), () =>
        {
            foreach (var recipient in message.Envelope.Recipients)
            {
                if (receipt.Status == CommitStatus.Committed) _world.Account.Acknowledged(recipient.Address);
                else _world.Account.Refused(recipient.Address);
            }
        });
    }
}
