using System.Text;
using Angarium.Contracts.Admin;
using Angarium.Grains.Control;
using Angarium.Grains.Membership;
using Angarium.Grains.Tenants;
using Angarium.Mail;
using Angarium.TestKit.Peers;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Grains.Control;

/// <summary>What operators suspended: one document that every silo reads, with ends that come by themselves.</summary>
public sealed class SuspensionsTests
{
    private readonly MemoryDocuments _documents = new();
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly PlainClock _clock;

    public SuspensionsTests() => _clock = new PlainClock(_time);

    [Fact]
    public async Task Change_IsHeardByAnother_AndKeptWhenBothChangeAtOnce()
    {
        var (a, b) = (Make(), Make());
        await b.RefreshAsync(default);
        Assert.Empty(b.Current!.All);
        _documents.BeforeWrite = () => b.ChangeAsync(all => [.. all, Of(SuspensionKind.Tenant, "t2")], default);
        Assert.True(await a.ChangeAsync(all => [.. all, Of(SuspensionKind.Tenant, "t1")], default));
        await b.RefreshAsync(default);
        foreach (var one in (Suspensions[])[a, b]) Assert.Equal(["t1", "t2"], one.Current!.Tenants(_clock.Now).Order());
        Assert.False(await a.ChangeAsync(_ => null, default));
        Assert.Equal(2, a.Current!.All.Count);
    }

    [Fact]
    public async Task Change_OnASiloThatMayBeNoneAnyMore_IsRefused()
    {
        await Assert.ThrowsAsync<IOException>(() => new Suspensions(_documents, _clock, new Standing(false)).ChangeAsync(_ => [Of(SuspensionKind.Tenant, "t1")], default));
        Assert.Null(await _documents.ReadAsync("control/suspensions", default));
    }

    [Fact]
    public async Task Over_ParksWhoIsSuspended_UntilItEnds_AndIsTheSameObjectMeanwhile()
    {
        var one = Make();
        var pools = PoolMap.Empty.With("t2", "bulk");
        Assert.Null(one.Over(pools));
        await one.ChangeAsync(_ => [Of(SuspensionKind.Tenant, "t1", TimeSpan.FromMinutes(5)), Of(SuspensionKind.Tenant, "t2")], default);
        Assert.Null(one.Over(null));
        var over = one.Over(pools)!;
        Assert.Equal((PoolMap.Parked, PoolMap.Parked, "default"), (over.PoolOf("t1"), over.PoolOf("t2"), over.PoolOf("t3")));
        _time.Advance(TimeSpan.FromMinutes(4));
        Assert.Same(over, one.Over(pools));
        _time.Advance(TimeSpan.FromMinutes(1));
        var later = one.Over(pools)!;
        Assert.Equal(("default", PoolMap.Parked), (later.PoolOf("t1"), later.PoolOf("t2")));
        Assert.Same(later, one.Over(pools));
        await one.ChangeAsync(_ => [], default);
        Assert.Same(pools, one.Over(pools));
    }

    [Theory]
    [InlineData("mx:a", "mx:a", true)]
    [InlineData("mx:a", "bulk!mx:a", true)]
    [InlineData("mx:a", "mx:b", false)]
    [InlineData("bulk!mx:a", "bulk!mx:a", true)]
    [InlineData("bulk!mx:a", "mx:a", false)]
    [InlineData("default!mx:a", "mx:a", true)]
    [InlineData("default!mx:a", "bulk!mx:a", false)]
    public void OfSite_WithoutAPool_IsThatOfAll(string suspended, string asked, bool isSo)
    {
        var map = new SuspensionMap([Of(SuspensionKind.Site, suspended, TimeSpan.FromMinutes(1))]);
        Assert.Equal(isSo, map.OfSite(asked, _clock.Now) is not null);
        Assert.Null(map.OfSite(asked, _clock.Now + TimeSpan.FromMinutes(1)));
    }

    [Theory]
    [InlineData("{\"version\":2}", "control/suspensions is of version 2; this version of angarium reads 1.")]
    [InlineData("{\"version\":1,\"suspensions\":[],\"other\":1}", "control/suspensions cannot be read: ")]
    [InlineData("{\"version\":1,\"suspensions\":[{\"kind\":\"Moon\",\"name\":\"x\",\"until\":0,\"since\":0,\"actor\":\"a\",\"reason\":\"\"}]}", "control/suspensions cannot be read: ")]
    public async Task Refresh_OfWhatThisBuildDoesNotKnow_IsRefused_AndNothingIsKnown(string stored, string says)
    {
        await _documents.WriteAsync("control/suspensions", Encoding.UTF8.GetBytes(stored), null, default);
        var one = Make();
        Assert.StartsWith(says, (await Assert.ThrowsAsync<InvalidDataException>(() => one.RefreshAsync(default))).Message);
        Assert.Null(one.Current);
        await Assert.ThrowsAsync<InvalidDataException>(() => one.ChangeAsync(_ => [], default));
    }

    [Fact]
    public async Task Audit_KeepsTheLatestTenThousandOrSo_NewestFirst()
    {
        var audit = new OperatorAudit(_documents, _time);
        const int Orders = OperatorAudit.MaxLatest + (OperatorAudit.MaxArchives + 2) * OperatorAudit.MaxLatest / 2;
        for (var i = 1; i <= Orders; i++) await audit.NoteAsync("administrator", "hold", $"domain d{i}.example", null, default);
        Assert.Equal(Enumerable.Range(0, 250).Select(i => (long)Orders - i), (await audit.ReadAsync(null, 250, default)).Select(entry => entry.Change));
        Assert.Equal([Orders - 41, Orders - 42], (await audit.ReadAsync(Orders - 40, 2, default)).Select(entry => entry.Change));
        Assert.Equal(OperatorAudit.MaxArchives, (await _documents.ListAsync("operators/audit/", default)).Count);
        var all = await audit.ReadAsync(null, Orders, default);
        Assert.InRange(all.Length, OperatorAudit.MaxArchives * OperatorAudit.MaxLatest / 2, Orders - 1);
        Assert.Equal(all.Length, all[0].Change - all[^1].Change + 1);
    }

    private Suspensions Make() => new(_documents, _clock, new Standing(true));

    private Suspension Of(SuspensionKind kind, string name, TimeSpan? lasts = null) => new() { Kind = kind, Name = name, Until = lasts is { } time ? _clock.Now + time : default, Since = _clock.Now, Actor = "operator" };

    private sealed record Standing(bool IsConfirmed) : IStanding
    {
        public bool IsSoleProcess => false;
    }
}
