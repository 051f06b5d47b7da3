using Angarium.Contracts.Configuration;
using Angarium.Contracts.Intake;
using Angarium.Ingress.Content;
using Angarium.Ingress.Policy;
using Angarium.Ingress.Sessions;
using Angarium.Ingress.Submission;
using Angarium.Ingress.Tls;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Prometheus;

namespace Angarium.Ingress;

/// <summary>
/// The ingress role's life: once a second it looks for waits that were too long, every five seconds for changed lists and certificates; on shutdown it ends the
/// idle sessions before Kestrel stops and waits for the others. One timer loop; nothing survives a crash.
/// </summary>
internal sealed partial class IngressService(
    ISettings<IngressOptions> settings,
    ConnectionRegistry registry,
    RelayPolicy policy,
    ServerCertificate certificate,
    GatherBudget budget,
    OfferDispatcher dispatcher,
    TenantAccounts accounts,
    TimeProvider time,
    ILogger<IngressService> log) : IHostedLifecycleService, IIngressStatus, IDisposable
{
    private const int RefreshEvery = 5;

    private readonly CancellationTokenSource _stopping = new();
    private Task _loop = Task.CompletedTask;
    private Task _refresh = Task.CompletedTask;
    private volatile bool _accepting;

    public bool IsAccepting => _accepting;

    public int Connections => registry.Count;

    public Task StartingAsync(CancellationToken cancellationToken)
    {
        Metrics.DefaultRegistry.AddBeforeCollectCallback(Collect);
        _loop = RunAsync();
        return Task.CompletedTask;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>All hosted services have started, Kestrel among them: its listeners accept.</summary>
    public Task StartedAsync(CancellationToken cancellationToken)
    {
        _accepting = true;
        return Task.CompletedTask;
    }

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        _accepting = false;
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(settings.Current.Drain);
        var cut = await registry.DrainAsync(bound.Token);
        if (cut > 0) Cut(cut);
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await _loop;
    }

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _stopping.Dispose();

    private async Task RunAsync()
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), time);
        try
        {
            for (var tick = 1; await timer.WaitForNextTickAsync(_stopping.Token); tick++)
            {
                Guarded(registry.Sweep);
                if (tick % RefreshEvery != 0) continue;
                Guarded(policy.Refresh);
                Guarded(certificate.Refresh);
                if (_refresh.IsCompleted) _refresh = accounts.RefreshAsync();
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The end of the role.
        }
    }

    // A file or a connection that breaks in a way nobody foresaw must not stop the timer that ends dead sessions.
    private void Guarded(Action work)
    {
        try
        {
            work();
        }
        catch (Exception e)
        {
            TickFailed(e);
        }
    }

    private void Collect()
    {
        IngressInstruments.OpenConnections.Set(registry.Count);
        IngressInstruments.GatheredMemory.Set(budget.Memory);
        IngressInstruments.GatheredScratch.Set(budget.Scratch);
        IngressInstruments.HandedOver.IncTo(dispatcher.Offered);
        IngressInstruments.LeftToSweep.IncTo(dispatcher.LeftToSweep);
        IngressInstruments.Refused.Set(dispatcher.Refused);
    }
}
