using Angarium.Host.Cluster;
using Orleans;
using Orleans.Runtime;

namespace Angarium.Unit.Host.Cluster;

public sealed class ClusterStandingTests
{
    private static readonly SiloAddress s_own = SiloAddress.FromParsableString("10.0.0.1:11111@5");

    private readonly TwoClocks _time = new();
    private readonly ClusterStanding _standing;
    private Func<Task> _read = () => Task.CompletedTask;

    public ClusterStandingTests()
    {
        _standing = new ClusterStanding(_time);
        _standing.Take(s_own, _ => _read());
    }

    [Fact]
    public void IsConfirmed_ForTenSecondsAfterTheReadBegan()
    {
        Assert.False(_standing.IsConfirmed);
        Assert.False(_standing.IsSoleProcess);
        var began = ReadMoment.Now(_time);
        _time.Advance(TimeSpan.FromSeconds(4));
        _standing.See(Document(1, SiloStatus.Active), began);
        Assert.True(_standing.IsConfirmed);
        _time.Advance(TimeSpan.FromSeconds(6));
        Assert.True(_standing.IsConfirmed);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.False(_standing.IsConfirmed);
        See(1, SiloStatus.Active);
        Assert.True(_standing.IsConfirmed);
    }

    [Fact]
    public void IsConfirmed_AfterItsRowWasSeenDead_NeverAgain()
    {
        See(1, SiloStatus.Active);
        See(2, SiloStatus.Dead);
        Assert.False(_standing.IsConfirmed);
        See(3, SiloStatus.Active);
        Assert.False(_standing.IsConfirmed);
    }

    /// <summary>Frozen and not noticed: its clocks say that it was confirmed a moment ago.</summary>
    [Fact]
    public async Task Confirm_OfARowThatDiedMeanwhile_IsFalse()
    {
        See(1, SiloStatus.Active);
        Assert.True(await _standing.ConfirmAsync(TestContext.Current.CancellationToken));
        _read = () =>
        {
            See(2, SiloStatus.Dead);
            return Task.CompletedTask;
        };
        Assert.True(_standing.IsConfirmed);
        Assert.False(await _standing.ConfirmAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Confirm_StoreAnswersTooLate_IsNotKnown()
    {
        See(1, SiloStatus.Active);
        _read = () => Task.FromCanceled(new CancellationToken(canceled: true));
        await Assert.ThrowsAsync<IOException>(() => _standing.ConfirmAsync(TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData(SiloStatus.Joining)]
    [InlineData(SiloStatus.ShuttingDown)]
    [InlineData(SiloStatus.Stopping)]
    [InlineData(null)]
    public void IsConfirmed_WhileItsRowIsNotActive_IsFalseAtOnce(SiloStatus? status)
    {
        See(1, SiloStatus.Active);
        See(2, status);
        Assert.False(_standing.IsConfirmed);
        Assert.Equal(status is SiloStatus.ShuttingDown or SiloStatus.Stopping, _standing.IsMember);
        See(3, SiloStatus.Active);
        Assert.True(_standing.IsConfirmed);
    }

    [Fact]
    public void IsConfirmed_ByARowOfAnEarlierLife_IsFalse()
    {
        _standing.See(Document(1, SiloStatus.Active, "10.0.0.1:11111@4"), ReadMoment.Now(_time));
        Assert.False(_standing.IsConfirmed);
    }

    [Fact]
    public void See_ReadsThatOvertookEachOther_KeepsTheNewest()
    {
        var early = ReadMoment.Now(_time);
        _time.Advance(TimeSpan.FromSeconds(8));
        See(2, SiloStatus.Active);

        // An older version says nothing; of the same version the read that began later counts.
        _standing.See(Document(1, null), early);
        _standing.See(Document(2, SiloStatus.Active), early);
        _time.Advance(TimeSpan.FromSeconds(9));
        Assert.True(_standing.IsConfirmed);
    }

    [Fact]
    public void IsConfirmed_WhenTheWallClockIsSetBack_EndsByTheOther()
    {
        See(1, SiloStatus.Active);
        _time.Wall -= TimeSpan.FromHours(1);
        Assert.True(_standing.IsConfirmed);
        _time.Advance(TimeSpan.FromSeconds(10.1));
        Assert.False(_standing.IsConfirmed);
    }

    [Fact]
    public void IsConfirmed_WhenTheMachineWasFrozen_EndsByTheWallClock()
    {
        // The monotonic clock of a frozen machine stands still.
        See(1, SiloStatus.Active);
        _time.Wall += TimeSpan.FromSeconds(11);
        Assert.False(_standing.IsConfirmed);
    }

    [Fact]
    public void See_BeforeItsAddressIsKnown_ConfirmsNothing()
    {
        var standing = new ClusterStanding(_time);
        standing.See(Document(1, SiloStatus.Active), ReadMoment.Now(_time));
        Assert.False(standing.IsConfirmed);
    }

    private void See(int version, SiloStatus? status) => _standing.See(Document(version, status), ReadMoment.Now(_time));

    private static MembershipDocument Document(int version, SiloStatus? status, string silo = "10.0.0.1:11111@5") => MembershipDocument.Empty("mail") with
    {
        Version = version,
        Silos = status is { } known ? [MembershipRow.From(new MembershipEntry { SiloAddress = SiloAddress.FromParsableString(silo), Status = known }, version)] : [],
    };
}
