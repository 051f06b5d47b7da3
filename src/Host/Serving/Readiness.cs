using Microsoft.Extensions.Hosting;
using Angarium.Egress;
using Angarium.Grains.Membership;
using Angarium.Ingress;

namespace Angarium.Host.Serving;

/// <summary>Whether the listeners of this process's roles accept, asked anew each time by `/readyz`; a role that this process does not run is null. Any thread; no state.</summary>
internal sealed class Readiness(IHostApplicationLifetime lifetime, IIngressStatus? ingress, EgressReadiness? egress, IStanding? standing = null, Func<bool>? isLedgerRead = null)
{
    /// <summary>Null = ready; else the reason, in one line.</summary>
    public string? Trouble =>
        lifetime.ApplicationStopping.IsCancellationRequested ? "the process is stopping"
        : !lifetime.ApplicationStarted.IsCancellationRequested ? "the process is starting"
        : ingress is { IsAccepting: false } ? "ingress: the SMTP listeners do not accept"
        : egress is { IsReady: false } ? "egress: the pool has not heard this worker within 20 s"
        : standing is { IsConfirmed: false } ? "grains: the membership row was not confirmed within 10 s"
        // A roll-out must not go on to the next silo. Alone, mail is accepted and delivered meanwhile.
        : standing is { IsSoleProcess: false } && isLedgerRead?.Invoke() == false ? "grains: the ledger is not read yet"
        : null;
}
