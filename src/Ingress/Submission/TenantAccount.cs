using Angarium.Contracts.Intake;
using Angarium.Contracts.Tenants;
using Angarium.Mail;
using Angarium.Mail.Status;

namespace Angarium.Ingress.Submission;

/// <summary>
/// One tenant as this process knows it: what is true of it, the messages leased from its quota, its connections here. Asks the tenant for more when it runs out, in one call for all who wait
/// at the time. Any thread; a crash loses what was leased and not used, which nobody else gets.
/// </summary>
internal sealed class TenantAccount(TenantFacts facts, string ingress, Func<AdmitRequest, Task<AdmitAnswer>> admit, TimeProvider time) : IIntakeTenant
{
    public static readonly Reply Paused = new(450, new EnhancedStatus(4, 7, 1), "This tenant is paused");
    public static readonly Reply OverQuota = new(452, new EnhancedStatus(4, 7, 1), "Quota of this tenant is used up, try again later");
    public static readonly Reply TooManyConnections = new(421, new EnhancedStatus(4, 7, 0), "Too many connections of this tenant");
    public static readonly Reply Unknown = new(451, MailStatus.SystemTrouble, "Cannot check this tenant's quota now, try again later");

    /// <summary>Nothing was heard of it for so long: whether it still may send is not known any more.</summary>
    private static readonly TimeSpan s_trusted = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly Queue<TaskCompletionSource<Verdict>> _waiting = new();
    private volatile TenantFacts _facts = facts;
    private long _heardAt = time.GetTimestamp(), _usedAt = time.GetTimestamp(), _leasedAt;
    private TimeSpan _leaseLasts;
    private int _leased, _connections, _allowed;
    private bool _asking;

    public TenantFacts Facts => _facts;

    public string Id => _facts.Id;

    public int MaxRecipients => _facts.MaxRecipients;

    /// <summary>Somebody uses it, or did within the last minute: it is to be kept up to date.</summary>
    public bool IsInUse
    {
        get
        {
            lock (_gate) return _connections > 0 || time.GetElapsedTime(_usedAt) < s_trusted;
        }
    }

    /// <summary>Takes over what another answer said of it.</summary>
    public void Hear(TenantFacts facts)
    {
        lock (_gate)
        {
            if (facts.Version > _facts.Version) _facts = facts;
            _heardAt = time.GetTimestamp();
        }
    }

    /// <summary>May one more message be sent? Without a wait where enough is leased. When it may not: why, and when again (zero = not known).</summary>
    public ValueTask<Verdict> TakeAsync()
    {
        Task<Verdict> waiting;
        lock (_gate)
        {
            _usedAt = time.GetTimestamp();
            if (_facts.IsPaused) return new(new Verdict(Paused, TimeSpan.Zero));
            if (!_facts.IsMetered) return new(time.GetElapsedTime(_heardAt) < s_trusted ? default : new Verdict(Unknown, TimeSpan.Zero));
            if (_waiting.Count == 0 && TryTake()) return new(default(Verdict));
            var source = new TaskCompletionSource<Verdict>(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Enqueue(source);
            waiting = source.Task;
        }

        Ask();
        return new(waiting);
    }

    /// <summary>One more connection of a client that logged in; false = the tenant has too many. What was let in must <see cref="Leave"/>.</summary>
    public async ValueTask<bool> TryEnterAsync()
    {
        lock (_gate)
        {
            _connections++;
            if (!_facts.IsMetered || _connections <= _allowed) return true;
        }

        await HeartbeatAsync();
        lock (_gate)
        {
            if (!_facts.IsMetered || _connections <= _allowed) return true;
            _connections--;
            return false;
        }
    }

    public void Leave()
    {
        lock (_gate) _connections--;
    }

    /// <summary>Tells the tenant of our connections, and hears what has changed.</summary>
    public async Task HeartbeatAsync()
    {
        try
        {
            await CallAsync(0);
        }
        catch (Exception)
        {
            // What was heard last counts for a minute; a session that needs more than that is told so.
        }
    }

    private bool TryTake()
    {
        if (_leased == 0 || time.GetElapsedTime(_leasedAt) >= _leaseLasts) return false;
        _leased--;
        return true;
    }

    private async void Ask()
    {
        int wanted;
        lock (_gate)
        {
            if (_asking || _waiting.Count == 0) return;
            (_asking, wanted) = (true, _waiting.Count);
        }

        Verdict verdict;
        try
        {
            var answer = await CallAsync(wanted);
            verdict = new Verdict(OverQuota, answer.RetryAfter);
        }
        catch (Exception)
        {
            verdict = new Verdict(Unknown, TimeSpan.Zero);
        }

        lock (_gate)
        {
            _asking = false;
            // Who came while the call was under way has a call of its own, unless there is enough.
            for (var i = 0; _waiting.Count > 0 && (i < wanted || _leased > 0); i++) _waiting.Dequeue().TrySetResult(TryTake() ? default : verdict);
        }

        Ask();
    }

    private async Task<AdmitAnswer> CallAsync(int messages)
    {
        int connections;
        lock (_gate) connections = _connections;
        var asked = time.GetTimestamp();
        var answer = await admit(new AdmitRequest { Ingress = ingress, Connections = connections, Messages = messages, Version = _facts.Version });
        if (answer.Tenant is { } facts) Hear(facts);
        lock (_gate)
        {
            _heardAt = time.GetTimestamp();
            _allowed = answer.Connections;
            if (messages == 0) return answer;
            // What is left of an earlier lease ends with it.
            (_leased, _leasedAt, _leaseLasts) = (answer.Messages, asked, answer.Lasts);
        }

        return answer;
    }

    /// <summary>Why not; null = it may. <paramref name="RetryAfter"/>: zero = not known.</summary>
    public readonly record struct Verdict(Reply? Refusal, TimeSpan RetryAfter);
}
