using Angarium.Contracts.DomainQueues;
using Angarium.Mail;
using Angarium.Simulation.Kernel;

namespace Angarium.Simulation.World;

/// <summary>An egress worker with a few sessions: leases, sends, reports, renews. Its death loses everything in it but the dots that it sent.</summary>
internal sealed class SimWorker
{
    private static readonly Reply Later = new(451, new EnhancedStatus(4, 2, 0), "later");
    private readonly SimWorld _world;
    private readonly string _name;
    private readonly Dictionary<ulong, Held> _held = [];

    public SimWorker(SimWorld world, string name)
    {
        _world = world;
        _name = name;
        for (var i = 0; i < 2; i++)
        {
            foreach (var domain in world.Domains) world.Loop.Start(() => SessionAsync(domain));
        }

        world.Loop.Start(RenewAsync);
    }

    public bool Alive { get; private set; } = true;

    /// <summary>Until then no call of it reaches anybody.</summary>
    public StoreTime CutUntil { get; set; }

    public void Crash() => Alive = false;

    /// <summary>What it has leased now of a recipient.</summary>
    public IEnumerable<Held> Current(RecipientKey key) => _held.Values.Where(h => Alive && h.Until > _world.Loop.Now && h.Grant.Keys.Contains(key));

    private async Task SessionAsync(string domain)
    {
        var loop = _world.Loop;
        var session = (ulong)loop.Random.NextInt64();
        var number = 0;
        var outcomes = new List<AttemptOutcome>();
        while (Alive)
        {
            number++;
            ExchangeAnswer? answer = null;
            for (var tries = 0; tries < 3 && answer is null && Alive; tries++)
            {
                var request = new ExchangeRequest
                {
                    Session = session, Number = number, SentAt = loop.Now, Worker = _name, Site = "site", Want = loop.Random.Next(1, 4), MaxRecipients = 2, Outcomes = [.. outcomes],
                };
                answer = await CallAsync(domain, q => q.ExchangeAsync(request));
            }

            if (!Alive) return;
            if (answer is { Acknowledged: true })
            {
                foreach (var outcome in outcomes) _held.Remove(outcome.Lease);
                outcomes.Clear();
            }

            foreach (var grant in answer?.Grants ?? [])
            {
                if (grant.Deadline <= loop.Now) continue;
                _held[grant.Lease] = new Held(domain, grant) { Until = grant.Deadline, AskedAt = grant.Deadline - Grains.DomainQueues.DomainQueue.LeaseTime, ReceivedAt = loop.Now };
            }

            foreach (var grant in answer?.Grants ?? [])
            {
                if (!_held.TryGetValue(grant.Lease, out var held)) continue;
                if (await AttemptAsync(held) is { } outcome) outcomes.Add(outcome);
                if (!Alive) return;
            }

            if (answer?.Grants is null or []) await loop.Delay(500, 2_000);
        }
    }

    private async Task<AttemptOutcome?> AttemptAsync(Held held)
    {
        var loop = _world.Loop;
        await loop.Delay(loop.Random.NextDouble() < _world.Trouble ? loop.Random.Next(0, 60_000) : loop.Random.Next(5, 2_000));
        if (!Alive) return null;
        var outcome = new AttemptOutcome { Lease = held.Grant.Lease, Keys = held.Grant.Keys, Kind = OutcomeKind.Returned, Place = held.Grant.Place };
        if (loop.Now >= held.Until && !_world.Breaks.HasFlag(Breaks.Abort)) return outcome;
        if (!_world.Packs.Exists(held.Grant.Place.Pack)) return outcome with { Kind = OutcomeKind.NotFound };
        var dice = loop.Random.NextDouble();
        if (dice < 0.22)
        {
            // The refusal may come long after the content, and after the lease.
            await ReplyAsync();
            if (!Alive) return null;
            foreach (var key in held.Grant.Keys) _world.Tried(key);
            if (dice < 0.15) return outcome with { Kind = OutcomeKind.Deferred, Reply = Later };
            var failed = outcome with { Kind = OutcomeKind.Failed, Reply = Later with { Code = 550 } };
            if (_world.Breaks.HasFlag(Breaks.Decision)) _world.Loop.Start(() => DecideAsync(held, failed));
            return failed;
        }

        foreach (var key in held.Grant.Keys) _world.Dot(key, held, this);
        if (dice < 0.26)
        {
            held.Cut = true;
            foreach (var key in held.Grant.Keys) _world.Tried(key);
            return outcome with { Kind = OutcomeKind.Deferred, Reply = Later, PossibleDuplicate = true };
        }

        await ReplyAsync();
        return Alive ? outcome with { Kind = OutcomeKind.Delivered, Reply = Later with { Code = 250 } } : null;
    }

    private Task ReplyAsync() => _world.Loop.Delay(_world.Loop.Random.NextDouble() < _world.Trouble ? _world.Loop.Random.Next(0, 90_000) : _world.Loop.Random.Next(1, 500));

    // The report goes in under whatever lease its recipients have now.
    private async Task DecideAsync(Held held, AttemptOutcome failed)
    {
        (SimWorker Worker, Held Held)? found = null;
        for (var i = 0; i < 60 && found is null && _world.Loop.Now >= held.Until; i++)
        {
            found = _world.Holder(held.Grant.Keys[0], this);
            await _world.Loop.Delay(1_000);
        }

        if (found is not { } holder) return;
        await CallAsync(held.Domain, q => q.ExchangeAsync(new ExchangeRequest
        {
            Session = (ulong)_world.Loop.Random.NextInt64(), Number = 1, SentAt = _world.Loop.Now, Worker = holder.Worker._name, Site = "site", Want = 0, MaxRecipients = 1,
            Outcomes = [failed with { Lease = holder.Held.Grant.Lease }],
        }));
    }

    private async Task<T?> CallAsync<T>(string domain, Func<Grains.DomainQueues.DomainQueue, Task<T>> call)
    {
        if (_world.Loop.Now >= CutUntil) return await _world.Call(() => _world.Believed(domain, this), domain, call, mayRepeat: true);
        await _world.Loop.Delay(3_000);
        return default;
    }

    private async Task RenewAsync()
    {
        while (Alive)
        {
            await _world.Loop.Delay(5_000);
            foreach (var domain in _world.Domains)
            {
                var leases = _held.Where(h => h.Value.Domain == domain).Select(h => new HeldLease { Lease = h.Key, Place = h.Value.Grant.Place, Keys = h.Value.Grant.Keys }).ToArray();
                if (leases.Length > 0) _world.Loop.Start(() => RenewAsync(domain, new RenewRequest { Worker = _name, SentAt = _world.Loop.Now, Leases = leases }));
            }
        }
    }

    private async Task RenewAsync(string domain, RenewRequest request)
    {
        var answer = await CallAsync(domain, q => q.RenewAsync(request).AsTask());
        foreach (var lease in answer?.Renewed ?? [])
        {
            // A renewal that comes after the end is too late.
            if (_held.TryGetValue(lease, out var held) && held.Until > _world.Loop.Now) held.Until = StoreTime.Max(held.Until, answer!.Until);
        }
    }

    /// <summary>A lease as its worker knows it.</summary>
    internal sealed class Held(string domain, Grant grant)
    {
        public string Domain { get; } = domain;

        public Grant Grant { get; } = grant;

        public StoreTime Until { get; set; }

        /// <summary>The grant was made between these two.</summary>
        public StoreTime AskedAt { get; init; }

        public StoreTime ReceivedAt { get; init; }

        /// <summary>The peer took it and the reply was lost.</summary>
        public bool Cut { get; set; }
    }
}
