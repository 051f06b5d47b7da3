using Angarium.Grains.EgressPools;
using Angarium.Grains.Membership;
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
        Assert.Empty(await register.ClaimAsync("p", 1, default));
        Assert.True(await register.SaveAsync("p", 1, ["w1", "w2"], default));
        Assert.Equal(["w1", "w2"], await register.ClaimAsync("p", 2, default));
        Assert.False(await register.IsOwnerAsync("p", 1, default));
        Assert.False(await register.SaveAsync("p", 1, ["w1"], default));
        Assert.True(await register.IsOwnerAsync("p", 2, default));
        Assert.Equal(["w1", "w2"], await register.ClaimAsync("p", 3, default));
        Assert.Empty(await register.ClaimAsync("q", 3, default));
    }

    [Fact]
    public async Task Save_OvertakenByAClaim_IsNotWritten()
    {
        var register = new WorkerRegister(_documents, this);
        await register.ClaimAsync("p", 1, default);
        await register.SaveAsync("p", 1, ["w1"], default);
        IReadOnlyList<string> claimed = [];
        _documents.BeforeWrite = async () => claimed = await register.ClaimAsync("p", 2, default);
        Assert.False(await register.SaveAsync("p", 1, ["w1", "w2"], default));
        Assert.Equal(["w1"], claimed);
    }

    [Fact]
    public async Task Claim_WithoutAConfirmedRow_IsRefused()
    {
        IsConfirmed = false;
        await Assert.ThrowsAsync<IOException>(() => new WorkerRegister(_documents, this).ClaimAsync("p", 1, default));
    }

    [Fact]
    public async Task Claim_OfALaterVersion_IsRefused()
    {
        await _documents.WriteAsync("pools/70", "{\"version\":2,\"owner\":1,\"workers\":[]}"u8.ToArray(), null, default);
        await Assert.ThrowsAsync<IOException>(() => new WorkerRegister(_documents, this).ClaimAsync("p", 1, default));
    }
}
