using System.Collections.Concurrent;
using Angarium.Contracts.Tenants;
using Angarium.Mail.Dkim;
using Microsoft.Extensions.Logging;

namespace Angarium.Ingress.Submission;

/// <summary>The seam through which sessions have their messages signed. Any thread.</summary>
internal interface IMessageSigner
{
    /// <summary>The fields to put before the message; null = they cannot be had now.</summary>
    ValueTask<string?> SignAsync(TenantAccount account, string domain, DkimSignature[] signatures);
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

    public async ValueTask<string?> SignAsync(TenantAccount account, string domain, DkimSignature[] signatures)
    {
        if (signatures.Length == 0) return "";
        var lane = _lanes.GetOrAdd(account.Id, static _ => new Lane());
        var tasks = new Task<byte[]?>[signatures.Length];
        lock (lane)
        {
            for (var i = 0; i < tasks.Length; i++)
            {
                var waiting = new Waiting(new SignItem(domain, signatures[i].Signer.Selector, signatures[i].Digest.ToArray()), account);
                lane.Queue.Enqueue(waiting);
                tasks[i] = waiting.Signature.Task;
            }

            if (!lane.IsBusy)
            {
                lane.IsBusy = true;
                _ = RunAsync(account.Id, lane);
            }
        }

        var made = await Task.WhenAll(tasks);
        var fields = "";
        for (var i = 0; i < made.Length; i++)
        {
            if (made[i] is not { } signature) return null;
            fields += signatures[i].Complete(signature);
        }

        return fields;
    }

    private async Task RunAsync(string tenant, Lane lane)
    {
        while (true)
        {
            var some = new List<Waiting>();
            lock (lane)
            {
                while (some.Count < Most && lane.Queue.TryDequeue(out var next)) some.Add(next);
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
        byte[]?[] signatures;
        try
        {
            var answer = await grains.GetGrain<ITenantAdmission>(tenant).Sign(new SignRequest { Items = [.. some.Select(one => one.Item)] });
            signatures = answer.Signatures;
            if (answer.Tenant is { } facts) some[0].Account.Hear(facts);
        }
        catch (Exception e)
        {
            CannotSign(tenant, some.Count, e.Message);
            signatures = new byte[some.Count][];
        }

        for (var i = 0; i < some.Count; i++) some[i].Signature.TrySetResult(i < signatures.Length ? signatures[i] : null);
    }

    /// <summary>What waits for one tenant. Used under its own lock.</summary>
    private sealed class Lane
    {
        public readonly Queue<Waiting> Queue = new();
        public bool IsBusy;
    }

    private sealed record Waiting(SignItem Item, TenantAccount Account)
    {
        public TaskCompletionSource<byte[]?> Signature { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    [LoggerMessage(3051, LogLevel.Warning, "{Count} digests of tenant {Tenant} cannot be signed: {Reason}")]
    private partial void CannotSign(string tenant, int count, string reason);
}
