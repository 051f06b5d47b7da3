using Angarium.Contracts;
using Angarium.Contracts.DomainQueues;
using Angarium.Contracts.EgressPools;

namespace Angarium.Egress.Worker;

/// <summary>The calls of a worker to the grains. Any thread; every call is bounded in time and may throw anything the cluster throws.</summary>
internal interface IQueueGateway
{
    Task<PollAnswer> PollAsync(PollRequest request);

    Task<ExchangeAnswer> ExchangeAsync(string domain, ExchangeRequest request);

    Task<RenewAnswer> RenewAsync(string domain, RenewRequest request);
}

/// <summary>The grains themselves. Any thread; nothing survives a crash.</summary>
internal sealed class GrainQueueGateway(IGrainFactory grains, ClusterLink link, TimeProvider time, string pool = PoolName.Default) : IQueueGateway
{
    // The pool holds a poll for 5 s.
    private static readonly TimeSpan LongestPoll = TimeSpan.FromSeconds(12);

    /// <summary>A poll sent while no gateway is connected, which is what connects one, may get lost.</summary>
    private static readonly TimeSpan LongestHail = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan LongestCall = TimeSpan.FromSeconds(10);

    private readonly GrainsByKey<IEgressPoolPoll> _pools = new(grains);
    private readonly GrainsByKey<IDomainQueueExchange> _queues = new(grains);

    public Task<PollAnswer> PollAsync(PollRequest request)
    {
        var (longest, broken) = (link.IsCut ? LongestHail : LongestPoll, link.Broken);
        return _pools[pool].Poll(request).WaitAsync(longest, time, broken);
    }

    public Task<ExchangeAnswer> ExchangeAsync(string domain, ExchangeRequest request) =>
        _queues[domain].Exchange(request).WaitAsync(LongestCall, time);

    public Task<RenewAnswer> RenewAsync(string domain, RenewRequest request) =>
        _queues[domain].Renew(request).AsTask().WaitAsync(LongestCall, time);
}
