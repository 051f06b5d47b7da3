using Angarium.Simulation.Cluster;

namespace Angarium.Simulation.World;

/// <summary>
/// For clauses whose story hardly ever happens by chance: a world in which it is likely. What strikes is the seed's choice still, and nothing that could not happen; with the clause in force every
/// promise holds there too.
/// </summary>
internal static class SimPlans
{
    /// <summary>The cleaner has something to do only in worlds that live for hours.</summary>
    public static bool IsLong(Breaks plan) => plan is Breaks.KeyIsPlace or Breaks.SourceNamed or Breaks.CopyFirst or Breaks.NotFound or Breaks.Struck or Breaks.Unlisted or Breaks.CopyPositions;

    public static void Prepare(SimWorld world)
    {
        switch (world.Plan)
        {
            case Breaks.LateHandOver:
                world.LateOffers = 0.5;
                break;
            case Breaks.JudgeIndex:
                world.LateOffers = 0.5;
                world.Rudeness = 0.5;
                break;
            case Breaks.ConfirmAgain or Breaks.Fresh or Breaks.HolderListens or Breaks.SentAt:
                world.Staleness = TimeSpan.FromSeconds(100);
                world.Slowness = 0.3;
                break;
            case Breaks.OwnerDecides or Breaks.RunId:
                world.Staleness = TimeSpan.FromSeconds(100);
                world.Peers.Unreachable = world.Plan == Breaks.RunId ? 0.1 : 0;
                world.Slowness = 0.5;
                world.Haste = 4;
                break;
            case Breaks.Seal:
                world.Rudeness = 0.6;
                world.LateAppends = 0.3;
                break;
            case Breaks.MemberLook:
                world.Rudeness = 0.6;
                world.Slowness = 0.4;
                world.LateAppends = 0.5;
                break;
            case Breaks.StaleDecides:
                world.Rudeness = 0.5;
                world.Slowness = 0.6;
                break;
            case Breaks.DecideBy or Breaks.OneScript or Breaks.NotFound:
                world.Rudeness = 0.6;
                break;
            case Breaks.SourceNamed or Breaks.Unlisted or Breaks.CopyPositions:
                world.Rudeness = 0.6;
                world.LateCopies = 0.5;
                world.LateCopiesBy = TimeSpan.FromMinutes(world.Plan == Breaks.CopyPositions ? 110 : 7);
                break;
        }
    }

    /// <summary>What strikes three times of four; null = nothing in particular.</summary>
    public static Action? Of(SimWorld world, SimFaults faults)
    {
        var loop = world.Loop;
        return world.Plan switch
        {
            Breaks.LateHandOver or Breaks.DecideBy or Breaks.NewStreams => () => faults.Forget(GrainKind.Domain),
            Breaks.StaleDecides => () => faults.Pick(world.Workers).Process.Pause(TimeSpan.FromSeconds(loop.Random.Next(24, 45)), unnoticed: false),
            Breaks.Seal => () => faults.KillSilo(faults.Pick(world.Cluster.Active)),
            Breaks.Fresh => () => faults.Depose(faults.Pick(world.Cluster.Active), TimeSpan.FromSeconds(loop.Random.Next(60, 120))),
            Breaks.OwnerDecides => () =>
            {
                // Nothing fails until the successor may grant.
                world.Peers.Unreachable = 0;
                faults.Depose(faults.Pick(world.Cluster.Active), TimeSpan.FromSeconds(loop.Random.Next(60, 90)));
                loop.Outside.At(loop.Random.Next(36_000, 45_000), () => world.Peers.Unreachable = 0.5);
                loop.Outside.At(60_000, () => world.Peers.Unreachable = 0);
            },
            Breaks.ConfirmAgain => () =>
            {
                var milliseconds = loop.Random.Next(14_000, 20_000);
                faults.Pick(world.Workers).Process.Pause(TimeSpan.FromMilliseconds(milliseconds), unnoticed: false);
                loop.Outside.At(milliseconds + loop.Random.Next(-1_000, 2_000), () => faults.Forget(GrainKind.Domain));
            },
            Breaks.HolderListens => () =>
            {
                faults.Forget(GrainKind.Domain);
                faults.Apart(faults.Pick(world.Cluster.Active), world.Index.Link, TimeSpan.FromSeconds(loop.Random.Next(20, 90)));
            },
            Breaks.RunId => () =>
            {
                var milliseconds = loop.Random.Next(40_000, 60_000);
                faults.Depose(faults.Pick(world.Cluster.Active), TimeSpan.FromMilliseconds(milliseconds));
                loop.Outside.At(milliseconds, () => faults.FailOver(TimeSpan.FromMilliseconds(milliseconds + loop.Random.Next(0, 3_000))));
            },
            Breaks.SentAt => () =>
            {
                var silo = faults.Pick(world.Cluster.Active);
                var seconds = TimeSpan.FromSeconds(loop.Random.Next(30, 60));
                faults.PauseSilo(silo, seconds, unnoticed: true);
                faults.Apart(silo, world.Blobs.Link, seconds + TimeSpan.FromSeconds(12));
            },
            Breaks.Struck => () =>
            {
                if (loop.Now - world.Start > TimeSpan.FromMinutes(70)) faults.FailOver(loop.Now - world.Start - TimeSpan.FromSeconds(loop.Random.Next(60, 600)));
            },
            // A decision that was on its way comes when the successor may grant.
            Breaks.MemberLook => () => faults.PauseSilo(faults.Pick(world.Cluster.Active), TimeSpan.FromMilliseconds(loop.Random.Next(38_000, 56_000)), unnoticed: true),
            Breaks.OtherSite => () => faults.NoDns(TimeSpan.FromSeconds(loop.Random.Next(2, 20))),
            Breaks.Unlisted => () => faults.KillSilo(faults.Pick(world.Cluster.Active)),
            _ => null,
        };
    }
}
