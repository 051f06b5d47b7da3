using Angarium.Grains.Index;
using Angarium.Mail;
using Angarium.TestKit.Servers;
using CsCheck;

namespace Angarium.Contract.Index;

/// <summary>The index in memory as the model of the index in Redis: any sequence of calls gets the same answers from both.</summary>
public sealed class RedisModelTests
{
    private static readonly string[] Domains = ["a.test", "b.test"];
    private static readonly Lane[] Lanes = [new("acme", MessageClass.Transactional), new("acme", MessageClass.Bulk), new("beta", MessageClass.Bulk)];
    private static readonly Gen<Lane> LaneGen = Gen.OneOfConst(Lanes);
    private static readonly Gen<string> DomainGen = Gen.OneOfConst(Domains);
    private static readonly Gen<StoreTime> TimeGen = Gen.Int[0, 20_000].Select(m => new StoreTime(1_700_000_000_000 + m));
    private static readonly Gen<IndexMember> MemberGen = Gen.Int[0, 11].Select(n => new IndexMember(new RecipientKey((ulong)n, 1, (ushort)n), (uint)n, 2, 0));
    private static readonly Gen<IndexSight> SightGen = Gen.Select(LaneGen, MemberGen, (lane, member) => new IndexSight(lane, member));
    private static readonly Gen<IndexChange> ChangeGen = Gen.Select(LaneGen, MemberGen, TimeGen, Gen.Int[0, 300], Gen.Bool, (lane, member, due, attempts, remove) =>
        new IndexChange(new IndexRow(lane, member, due, attempts), remove));

    private static readonly Gen<Step> StepGen = Gen.Frequency(
        (1, DomainGen.Select(Step (d) => new Take(d))),
        (1, Gen.Select(DomainGen, Gen.Bool, Step (d, stale) => new Leave(d, stale))),
        (6, Gen.Select(DomainGen, ChangeGen.List[0, 8], Gen.Int[0, 9], Step (d, changes, stale) => new Write(d, changes, stale == 0))),
        (4, Gen.Select(DomainGen, TimeGen, Gen.Int[1, 5], Step (d, until, perLane) => new Read(d, until, perLane))),
        (2, Gen.Select(DomainGen, TimeGen, Step (d, from) => new List(d, from))),
        (2, Gen.Select(DomainGen, SightGen.List[0, 8], Step (d, sights) => new See(d, sights))),
        (2, Gen.Select(TimeGen, Step (until) => new Wakes(until))));

    [Fact]
    public async Task AnySequenceOfCalls_GetsTheAnswersOfTheModel()
    {
        await using var server = await RedisServer.StartAsync();
        await using var redis = RedisIndexes.New(server.Address);
        await StepGen.List[1, 40].SampleAsync(async steps =>
        {
            await server.SendAsync("FLUSHALL");
            var model = new MemoryQueueIndex(() => long.MaxValue, () => (ulong)Random.Shared.NextInt64());
            var inModel = await RunAsync(model, steps);
            var inRedis = await RunAsync(redis, steps);
            for (var i = 0; i < steps.Count; i++)
            {
                if (inModel[i] != inRedis[i]) throw new InvalidOperationException($"{i}: {steps[i]}\nmodel {inModel[i]}\nredis {inRedis[i]}");
            }
        }, iter: 300, threads: 1);
    }

    private static async Task<List<string>> RunAsync<T>(T index, IReadOnlyList<Step> steps) where T : IQueueIndex, IIndexTotals
    {
        var owners = new Dictionary<string, IndexOwner>();
        var former = new Dictionary<string, IndexOwner>();
        var answers = new List<string>();
        foreach (var step in steps)
        {
            var owner = step.Domain is { } d ? (step.IsStale ? former : owners).GetValueOrDefault(d) : default;
            answers.Add(step switch
            {
                Take => await TakeAsync(step.Domain!),
                Leave => await LeaveAsync(step.Domain!, owner),
                Write write => $"{await index.WriteAsync(write.Domain!, owner, write.Changes, default)}",
                Read read => Text(await index.ReadDueAsync(read.Domain!, owner, read.Until, read.PerLane, default)),
                List list => Text(await index.ListAsync(list.Domain!, list.From, 1_000, default)) + await index.CountAsync(list.Domain!, default),
                See see => string.Join(',', (await index.SeeAsync(see.Domain!, see.Sights, default)).Found)
                    + string.Join(',', await index.ContainsAsync(see.Domain!, see.Sights, default)),
                Wakes wakes => string.Join(',', (await index.WakesAsync(IndexPartition.All, wakes.Until, 10, default)).OrderBy(w => w.Domain))
                    + string.Join(',', await index.DomainsAsync(10, default)) + await index.TotalsAsync(IndexPartition.All, default),
                _ => throw new InvalidOperationException($"{step}"),
            });
        }

        return answers;

        async Task<string> TakeAsync(string domain)
        {
            if (owners.TryGetValue(domain, out var old)) former[domain] = old;
            var token = (ulong)owners.Count + (ulong)answers.Count + 1;
            owners[domain] = new IndexOwner(token, (await index.TakeAsync(domain, token, default)).Run);
            return "taken";
        }

        async Task<string> LeaveAsync(string domain, IndexOwner owner)
        {
            await index.LeaveAsync(domain, owner, default);
            return "left";
        }
    }

    private static string Text(IndexRead read) => $"{read.Deposed} {read.More} {Text(read.Rows)}";

    // Lane by lane, and in order within each; which lane comes first is not promised.
    private static string Text(IReadOnlyList<IndexRow> rows) =>
        string.Join(';', Lanes.Select(l => string.Join(',', rows.Where(r => r.Lane == l).Select(r => $"{r.Member.Key.Ordinal}@{r.Due.Milliseconds}#{r.Attempts}"))));

    private abstract record Step(string? Domain, bool IsStale = false);

    private sealed record Take(string Of) : Step(Of);

    private sealed record Leave(string Of, bool Stale) : Step(Of, Stale);

    private sealed record Write(string Of, List<IndexChange> Changes, bool Stale) : Step(Of, Stale)
    {
        public override string ToString() => $"Write {Domain} stale {IsStale}: {string.Join(',', Changes)}";
    }

    private sealed record Read(string Of, StoreTime Until, int PerLane) : Step(Of);

    private sealed record List(string Of, StoreTime From) : Step(Of);

    private sealed record See(string Of, List<IndexSight> Sights) : Step(Of)
    {
        public override string ToString() => $"See {Domain}: {string.Join(',', Sights)}";
    }

    private sealed record Wakes(StoreTime Until) : Step(null as string);
}
