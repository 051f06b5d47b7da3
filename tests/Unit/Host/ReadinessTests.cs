using Microsoft.Extensions.Hosting;
using Angarium.Egress;
using Angarium.Grains.Membership;
using Angarium.Host.Serving;
using Angarium.Ingress;

namespace Angarium.Unit.Host;

public sealed class ReadinessTests : IDisposable
{
    private readonly Lifetime _lifetime = new();
    private readonly Status _ingress = new();
    private bool _egress;

    public void Dispose() => _lifetime.Dispose();

    private Readiness All() => new(_lifetime, _ingress, new EgressReadiness(() => _egress));

    [Fact]
    public void Trouble_UntilEveryRoleAccepts_NamesWhatIsMissing()
    {
        var readiness = All();
        Assert.Equal("the process is starting", readiness.Trouble);
        _lifetime.Started.Cancel();
        Assert.StartsWith("ingress:", readiness.Trouble, StringComparison.Ordinal);
        _ingress.IsAccepting = true;
        Assert.StartsWith("egress:", readiness.Trouble, StringComparison.Ordinal);
        _egress = true;
        Assert.Null(readiness.Trouble);
        _ingress.IsAccepting = false;
        Assert.StartsWith("ingress:", readiness.Trouble, StringComparison.Ordinal);
    }

    [Fact]
    public void Trouble_WhileStopping_SaysSoWhateverTheRolesSay()
    {
        (_ingress.IsAccepting, _egress) = (true, true);
        _lifetime.Started.Cancel();
        var readiness = All();
        Assert.Null(readiness.Trouble);
        _lifetime.Stopping.Cancel();
        Assert.Equal("the process is stopping", readiness.Trouble);
    }

    [Fact]
    public void Trouble_RoleThatDoesNotRun_IsNotAsked()
    {
        _lifetime.Started.Cancel();
        Assert.Null(new Readiness(_lifetime, null, null).Trouble);
    }

    [Fact]
    public void Trouble_OfASilo_IsThatItsRowIsNotConfirmed()
    {
        _lifetime.Started.Cancel();
        var standing = new Standing();
        var readiness = new Readiness(_lifetime, null, null, standing);
        Assert.Equal("grains: the membership row was not confirmed within 10 s", readiness.Trouble);
        standing.IsConfirmed = true;
        Assert.Null(readiness.Trouble);
    }

    [Fact]
    public void Trouble_OfASilo_IsThatItHasNotReadTheLedger()
    {
        _lifetime.Started.Cancel();
        var isRead = false;
        var standing = new Standing { IsConfirmed = true };
        var readiness = new Readiness(_lifetime, null, null, standing, () => isRead);
        Assert.Equal("grains: the ledger is not read yet", readiness.Trouble);
        // Alone, it accepts and delivers while it reads.
        standing.IsSoleProcess = true;
        Assert.Null(readiness.Trouble);
        (standing.IsSoleProcess, isRead) = (false, true);
        Assert.Null(readiness.Trouble);
    }

    private sealed class Standing : IStanding
    {
        public bool IsConfirmed { get; set; }

        public bool IsSoleProcess { get; set; }
    }

    private sealed class Status : IIngressStatus
    {
        public bool IsAccepting { get; set; }

        public int Connections => 0;
    }

    private sealed class Lifetime : IHostApplicationLifetime, IDisposable
    {
        public CancellationTokenSource Started { get; } = new();

        public CancellationTokenSource Stopping { get; } = new();

        public CancellationToken ApplicationStarted => Started.Token;

        public CancellationToken ApplicationStopping => Stopping.Token;

        public CancellationToken ApplicationStopped => default;

        public void StopApplication() => Stopping.Cancel();

        public void Dispose()
        {
            Started.Dispose();
            Stopping.Dispose();
        }
    }
}
