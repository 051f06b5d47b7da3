using Angarium.Contracts.DomainQueues;
using Angarium.Contracts.Intake;
using Angarium.Mail;
using Angarium.Mail.Replies;
using Angarium.Spool.Packs;
using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Serialization;

namespace Angarium.Bench.Micro;

/// <summary>An exchange on the wire between worker and silo, there and back, for a message: sixteen outcomes go, sixteen grants come.</summary>
[MemoryDiagnoser]
public class ExchangeBenchmarks
{
    private const int Batch = 16;
    private readonly Serializer _serializer = new ServiceCollection().AddSerializer(s => s.AddAssembly(typeof(Offer).Assembly)).BuildServiceProvider().GetRequiredService<Serializer>();

    private readonly ExchangeRequest _request = new()
    {
        Session = 1, Number = 2, SentAt = new StoreTime(3), Worker = "egress-1.example", Site = "mx.example", Want = Batch, MaxRecipients = 100,
        Outcomes = [.. Enumerable.Range(0, Batch).Select(i => new AttemptOutcome
        {
            Lease = (ulong)i, Keys = [new RecipientKey(1, 2, (ushort)i)], Kind = OutcomeKind.Delivered, Reply = new Reply(250, new EnhancedStatus(2, 0, 0), "ok: queued as 3F2A7"), Remote = "192.0.2.1:25",
            Summaries = [new RecipientSummary { ReversePath = "load@bench.test", Recipient = "someone@recipient.test", Tenant = "default", Size = 4096 }],
        })],
    };

    private readonly ExchangeAnswer _answer = new() { Acknowledged = true, Grants = [.. Enumerable.Range(0, Batch).Select(i => new Grant { Lease = (ulong)i, Keys = [new RecipientKey(1, 2, (ushort)i)], Attempt = 1, Deadline = new StoreTime(4) })] };

    [Benchmark(OperationsPerInvoke = Batch)]
    public int ThereAndBack() =>
        _serializer.Deserialize<ExchangeRequest>(_serializer.SerializeToArray(_request))!.Outcomes.Length
        + _serializer.Deserialize<ExchangeAnswer>(_serializer.SerializeToArray(_answer))!.Grants.Length;
}
