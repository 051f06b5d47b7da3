using System.Runtime.CompilerServices;
using Angarium.Mail;
using Angarium.Simulation.Kernel;
using Angarium.Simulation.World;
using Angarium.Spool.Packs;

namespace Angarium.Simulation.Stores;

/// <summary>The packs as one process reaches them. No state but what the clauses broken on purpose need.</summary>
internal sealed class SimPackStore(SimWorld world, SimProcess process, bool mayDamage = false) : IPackStore
{
    public int MaxCreationsInFlight => 3;

    public async Task<PackCreation> CreateAsync(PackName name, PackImage image, CancellationToken cancellationToken)
    {
        var bytes = image.Head.ToArray();
        var asked = world.Loop.Now;
        if (name.Kind == PackKind.Moved && world.Loop.Chance(world.LateCopies))
        {
            world.Loop.Outside.At(world.Loop.Random.Next(30_000, (int)world.LateCopiesBy.TotalMilliseconds), () => world.Blobs.Create(name, bytes, late: true));
            return PackCreation.Unknown;
        }

        for (var isUnknown = false; ;)
        {
            try
            {
                var result = await world.Net.AskAsync(process, world.Blobs.Link, () => world.Blobs.Create(name, bytes, world.Loop.Now - asked > TimeSpan.FromSeconds(2)));
                world.Account.Known(name.Id);
                if (isUnknown && result == PackCreation.Exists) return PackCreation.Created;
                return world.Breaks == Breaks.ConflictIsSuccess && result == PackCreation.Exists ? PackCreation.Full : result;
            }
            catch (IOException)
            {
                if (world.Breaks != Breaks.RetryFor || world.Loop.Now - asked > TimeSpan.FromHours(1)) return PackCreation.Unknown;
                isUnknown = true;
                await process.Delay(10_000, 300_000);
            }
        }
    }

    public async ValueTask<int> ReadAsync(PackName name, long offset, Memory<byte> into, CancellationToken cancellationToken)
    {
        // What is read may come damaged; only a checksum tells.
        var damage = mayDamage && world.Loop.Chance(world.Net.Trouble / 20);
        var bytes = await world.Net.AskAsync(process, world.Blobs.Link, () =>
        {
            var buffer = new byte[into.Length < 4096 ? into.Length : 4096];
            var count = world.Blobs.Read(name, offset, buffer);
            return count < 0 ? null : buffer[..count];
        });
        if (bytes is null) return -1;
        if (damage && offset > PackFormat.HeaderSize && bytes.Length > 0) bytes[world.Loop.Random.Next(bytes.Length)] ^= 4;
        bytes.CopyTo(into);
        return bytes.Length;
    }

    public async IAsyncEnumerable<PackListing> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var pack in await world.Net.AskAsync(process, world.Blobs.Link, world.Blobs.List))
        {
            // A cursor would have passed by what came late.
            if (world.Breaks == Breaks.Cursor && world.Blobs.Packs.TryGetValue(pack.Name, out var there) && there.Late) continue;
            yield return pack;
        }
    }

    public async Task DeleteAsync(PackName name, CancellationToken cancellationToken)
    {
        if (world.Breaks == Breaks.GrowingPack)
        {
            // The file goes with all that was put into it meanwhile.
            var before = world.Blobs.Packs.Keys.ToHashSet();
            await world.Net.AskAsync(process, world.Blobs.Link, () =>
            {
                foreach (var other in world.Blobs.Packs.Keys.Where(p => p.Writer == name.Writer && p.Kind == name.Kind && p.Number > name.Number && !before.Contains(p)).ToList()) world.Blobs.Delete(other);
                world.Blobs.Delete(name);
                return true;
            });
            return;
        }

        await world.Net.AskAsync(process, world.Blobs.Link, () =>
        {
            world.Blobs.Delete(name);
            return true;
        });
    }
}
