using Angarium.Contracts.DomainQueues;
using Angarium.Unit.Grains.DomainQueues;
using BenchmarkDotNet.Attributes;

namespace Angarium.Bench.Micro;

/// <summary>A message through the queue machine, offered, leased and delivered, over the index in memory and doubles that answer at once. The outcomes of a batch come with the request for the next.</summary>
[MemoryDiagnoser]
public class QueueBenchmarks
{
    private const int Messages = 1_600, Batch = 16;

    [Benchmark(OperationsPerInvoke = Messages)]
    public async Task<int> Deliver()
    {
        var world = new QueueUnderTest();
        for (var offered = 0; offered < Messages; offered += Batch) world.Offer(Batch);
        AttemptOutcome[] outcomes = [];
        var delivered = 0;
        while (true)
        {
            var answer = await world.Exchange(Batch, outcomes: outcomes);
            if (answer.Grants.Length == 0) break;
            outcomes = Array.ConvertAll(answer.Grants, g => QueueUnderTest.Outcome(g, OutcomeKind.Delivered));
            delivered += outcomes.Length;
        }

        return delivered == Messages ? delivered : throw new InvalidOperationException($"{delivered} of {Messages}");
    }
}
