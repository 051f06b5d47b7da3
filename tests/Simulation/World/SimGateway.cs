using Angarium.Contracts.DomainQueues;
using Angarium.Contracts.EgressPools;
using Angarium.Egress.Worker;
using Angarium.Mail;

namespace Angarium.Simulation.World;

/// <summary>A worker's calls as they leave it: what it is granted and what it reports goes into the account.</summary>
internal sealed class SimGateway(SimWorld world, SimWorker worker, IQueueGateway gateway, string pool) : IQueueGateway
{
    private readonly Dictionary<ulong, RecipientKey[]> _leases = [];
    private int _tries;

    public async Task<PollAnswer> PollAsync(PollRequest request)
    {
        var sent = world.Loop.Now;
        var answer = await gateway.PollAsync(request);
        if (answer.Accepted) worker.Heard(pool, sent);
        return answer;
    }

    public async Task<ExchangeAnswer> ExchangeAsync(string domain, ExchangeRequest request)
    {
        if (world.Breaks == Breaks.NotFound)
            request = request with { Outcomes = Array.ConvertAll(request.Outcomes, o => o.Kind == OutcomeKind.NotFound ? o with { Kind = OutcomeKind.Failed, Reply = new Reply(550, new EnhancedStatus(5, 3, 0), "gone") } : o) };
        if (world.Breaks == Breaks.SessionNumber) request = request with { Number = request.Number * 1_000 + ++_tries % 1_000 };
        foreach (var outcome in request.Outcomes) world.Account.Reported(worker, outcome);
        var asked = world.Loop.Now;
        var answer = await gateway.ExchangeAsync(domain, request);
        foreach (var grant in answer.Grants)
        {
            world.Account.Granted(worker, grant, asked);
            world.CheckPool(grant, pool, asked);
            _leases[grant.Lease] = grant.Keys;
        }

        return world.Breaks == Breaks.Abort ? answer with { Grants = Array.ConvertAll(answer.Grants, g => g with { Deadline = g.Deadline + TimeSpan.FromMinutes(10) }) } : answer;
    }

    public async Task<RenewAnswer> RenewAsync(string domain, RenewRequest request)
    {
        var answer = await gateway.RenewAsync(domain, request);
        foreach (var lease in answer.Renewed)
        {
            foreach (var key in _leases.GetValueOrDefault(lease) ?? []) world.Account.Renewed(worker, key, lease, answer.Until);
        }

        return answer;
    }
}
