using Angarium.Grains.EgressPools;
using Angarium.Grains.Membership;
using Angarium.Mail;
using Angarium.Unit.Grains.Control;

namespace Angarium.Unit.Grains.EgressPools;

/// <summary>Which workers a pool's next activation waits for, and who may write that (design rule 21).</summary>
public sealed class WorkerRegisterTests : IStanding
{
    private readonly MemoryDocuments _documents = new();

    public bool IsConfirmed { get; set; } = true;

    public bool IsSoleProcess { get; set; }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Claim_HasWhatTheLastOwnerKnew_AndTheLastOwnerWritesNoMore(bool isSole)
    {
        IsSoleProcess = isSole;
        var register = new WorkerRegister(_documents, this);
        var first = await register.ClaimAsync("p", 1, new StoreTime(1_000), default);
        Assert.Empty(first.Known);
        Assert.Equal(1_000, first.Number);
        Assert.True(await register.SaveAsync("p", 1, ["w1", "w2"], default));
        var second = await register.ClaimAsync("p", 2, new StoreTime(900), default);
        Assert.Equal(["w1", "w2"], second.Known);
        Assert.Equal(1_001, second.Number);
        Assert.False(await register.IsOwnerAsync("p", 1, 1_000, ["w1"], default));
        Assert.False(await register.SaveAsync("p", 1, ["w1"], default));
        Assert.True(await register.IsOwnerAsync("p", 2, 1_001, ["w1"], default));
        Assert.True(await register.SaveAsync("p", 2, ["w1", "w2"], default));
        Assert.Equal(1_002, (await register.ClaimAsync("p", 3, new StoreTime(1_001), default)).Number);
        Assert.Empty((await register.ClaimAsync("q", 3, default, default)).Known);
    }

    [Fact]
    public async Task Save_OvertakenByAClaim_IsNotWritten()
    {
        var register = new WorkerRegister(_documents, this);
        await register.ClaimAsync("p", 1, default, default);
        await register.SaveAsync("p", 1, ["w1"], default);
        IReadOnlyList<string> claimed = [];
        _documents.BeforeWrite = async () => claimed = (await register.ClaimAsync("p", 2, default, default)).Known;
        Assert.False(await register.SaveAsync("p", 1, ["w1", "w2"], default));
        Assert.Equal(["w1"], claimed);
    }

    /// <summary>A document that was lost is made good by the owner: its successor would else take permits for free that workers hold.</summary>
    [Fact]
    public async Task IsOwner_DocumentGone_WritesItAnewAndTheNextClaimKnowsTheWorkers()
    {
        var register = new WorkerRegister(_documents, this);
        var claim = await register.ClaimAsync("p", 1, new StoreTime(1_000), default);
        await register.SaveAsync("p", 1, ["w1", "w2"], default);
        foreach (var name in await _documents.ListAsync("pools/", default)) await _documents.DeleteAsync(name, default);
        Assert.True(await register.IsOwnerAsync("p", 1, claim.Number, ["w1", "w2"], default));
        var next = await register.ClaimAsync("p", 2, new StoreTime(900), default);
        Assert.Equal(["w1", "w2"], next.Known);
        Assert.Equal(1_001, next.Number);
        Assert.False(await register.IsOwnerAsync("p", 1, claim.Number, ["w1"], default));
    }

    [Fact]
    public async Task Claim_WithoutAConfirmedRow_IsRefused()
    {
        IsConfirmed = false;
        await Assert.ThrowsAsync<IOException>(() => new WorkerRegister(_documents, this).ClaimAsync("p", 1, default, default));
    }

    [Fact]
    public async Task Claim_OfALaterVersion_IsRefused()
    {
        await _documents.WriteAsync("pools/70", "{\"version\":2,\"owner\":1,\"workers\":[]}"u8.ToArray(), null, default);
        await Assert.ThrowsAsync<IOException>(() => new WorkerRegister(_documents, this).ClaimAsync("p", 1, default, default));
    }
}
