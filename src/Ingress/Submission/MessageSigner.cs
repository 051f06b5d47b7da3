using System.Collections.Concurrent;
using Angarium.Contracts.Tenants;
using Angarium.Mail.Dkim;
using Angarium.Mail.Tenants;
using Microsoft.Extensions.Logging;

namespace Angarium.Ingress.Submission;

/// <summary>What a message gets of its tenant's keys. A value.</summary>
/// <param name="Fields">To put before it.</param>
/// <param name="ReturnTag">Null = its recipients have no return paths of their own.</param>
internal readonly record struct SignedMessage(string Fields, ReturnTag? ReturnTag);

/// <summary>The seam through which sessions have their messages signed. Any thread.</summary>
internal interface IMessageSigner
{
    /// <param name="account">Whose message it is.</param>
    /// <param name="domain">Whose keys.</param>
    /// <param name="signatures">What they have to sign.</param>
    /// <param name="hasReturnPath">It has a return path, which may be one of its recipients' own.</param>
    /// <returns>Null = it cannot be had now.</returns>
    ValueTask<SignedMessage?> SignAsync(TenantAccount account, SendingDomain domain, DkimSignature[] signatures, bool hasReturnPath);
}

/// <summary>
/// Has digests signed by the tenant whose keys they need (design, promise 10): one call per tenant is under way, and what comes meanwhile goes together with the next. Any thread; nothing
/// survives: a message without its signatures was not answered 250.
/// </summary>
internal sealed partial class MessageSigner(IGrainFactory grains, ILogger<MessageSigner> log) : IMessageSigner
{
    /// <summary>Digests of one call.</summary>
    private const int Most = 256;

    private readonly ConcurrentDictionary<string, Lane> _lanes = new(StringComparer.Ordinal);

    public async ValueTask<SignedMessage?> SignAsync(TenantAccount account, SendingDomain domain, DkimSignature[] signatures, bool hasReturnPath)
    {
        var returnDomain = hasReturnPath ? domain.ReturnDomain : null;
        if (signatures.Length == 0 && returnDomain is null) return new SignedMessage("", null);
        var lane = _lanes.GetOrAdd(account.Id, static _ => new Lane());
        var waiting = new Waiting(account, [.. signatures.Select(s => new SignItem(domain.Name, s.Signer.Selector, s.Digest.ToArray()))], returnDomain is not null);
        lock (lane)
        {
            lane.Queue.Enqueue(waiting);
            if (!lane.IsBusy)
            {
                lane.IsBusy = true;
                _ = RunAsync(account.Id, lane);
            }
        }

        if (await waiting.Made.Task is not { } made) return null;
        var fields = "";
        for (var i = 0; i < signatures.Length; i++) fields += signatures[i].Complete(made.Signatures[i]);
        return new SignedMessage(fields, returnDomain is null ? null : new ReturnTag(returnDomain, made.Return.Nonce, made.Return.Key));
    }

    private async Task RunAsync(string tenant, Lane lane)
    {
        while (true)
        {
            var some = new List<Waiting>();
            lock (lane)
            {
                for (var digests = 0; digests < Most && lane.Queue.TryDequeue(out var next); digests += next.Items.Length) some.Add(next);
                if (some.Count == 0)
                {
                    lane.IsBusy = false;
                    return;
                }
            }

            await SignAsync(tenant, some);
        }
    }

    private async Task SignAsync(string tenant, List<Waiting> some)
    {
        try
        {
            var request = new SignRequest { Items = [.. some.SelectMany(one => one.Items)], Returns = some.Count(one => one.WantsReturn) };
            var answer = await grains.GetGrain<ITenantAdmission>(tenant).Sign(request);
            if (answer.Tenant is { } facts) some[0].Account.Hear(facts);
            var (at, returns) = (0, 0);
            foreach (var one in some)
            {
                var signatures = answer.Signatures.AsSpan(at, one.Items.Length);
                at += signatures.Length;
                var key = !one.WantsReturn ? default(ReturnKey) : returns < answer.Returns.Length ? answer.Returns[returns++] : default(ReturnKey?);
                one.Made.TrySetResult(key is null || signatures.Contains(null) ? null : ((byte[][])signatures.ToArray()!, key.Value));
            }
        }
        catch (Exception e)
        {
            // Each client is answered 451 and sends again.
            CannotSign(tenant, some.Count, e.Message);
            foreach (var one in some) one.Made.TrySetResult(null);
        }
    }

    /// <summary>What waits for one tenant. Used under its own lock.</summary>
    private sealed class Lane
    {
        public readonly Queue<Waiting> Queue = new();
        public bool IsBusy;
    }

    /// <summary>One message.</summary>
    private sealed record Waiting(TenantAccount Account, SignItem[] Items, bool WantsReturn)
    {
        public TaskCompletionSource<(byte[][] Signatures, ReturnKey Return)?> Made { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    [LoggerMessage(3051, LogLevel.Warning, "{Count} messages of tenant {Tenant} cannot be signed: {Reason}")]
    private partial void CannotSign(string tenant, int count, string reason);
}
