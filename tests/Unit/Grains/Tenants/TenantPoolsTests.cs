using System.Text;
using Angarium.Contracts.Routing;
using Angarium.Contracts.Tenants;
using Angarium.Grains;
using Angarium.Grains.EgressPools;
using Angarium.Grains.Membership;
using Angarium.Grains.Tenants;
using Angarium.Mail;
using Angarium.Mail.Tenants;
using Angarium.Unit.Grains.Control;

namespace Angarium.Unit.Grains.Tenants;

/// <summary>Which pool a tenant is in: as its own document says, and as each silo knows it.</summary>
public sealed class TenantPoolsTests : IStanding, IRecordSource, IDisposable
{
    private const string Name = "control/pools";
    private const string Acme = "tbcdfghjkmnpqrst", Other = "t222222222222222";

    private readonly MemoryDocuments _documents = new();
    private readonly MasterKey _master = new(new byte[32]);

    public bool IsConfirmed { get; set; } = true;

    public bool IsSoleProcess => false;

    public Task<IReadOnlyList<string>?> TextAsync(string name, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<string>?>([]);

    public Task<IReadOnlyList<string>?> MailHostsAsync(string name, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<string>?>([]);

    public void Dispose() => _master.Dispose();

    [Fact]
    public async Task Current_NothingWasEverSet_IsDefaultForAll()
    {
        var pools = Silo();
        Assert.Null(pools.Current);
        await pools.RefreshAsync(default);
        Assert.Equal((true, "default"), (pools.Current!.IsEmpty, pools.Current.PoolOf(Acme)));
        var before = pools.Current;
        await pools.RefreshAsync(default);
        Assert.Same(before, pools.Current);
    }

    [Fact]
    public async Task Put_OnOneSilo_IsKnownThereAtOnceAndElsewhereAtTheNextLook()
    {
        var one = Silo();
        var two = Silo();
        await one.RefreshAsync(default);
        await two.RefreshAsync(default);
        await one.PutAsync(Acme, "bulk", default);
        await one.PutAsync(Other, "bulk", default);
        Assert.Equal(("bulk", "default"), (one.Current!.PoolOf(Acme), two.Current!.PoolOf(Acme)));
        await two.RefreshAsync(default);
        Assert.Equal("bulk", two.Current!.PoolOf(Acme));
        await two.PutAsync(Acme, "default", default);
        Assert.Equal(("default", "bulk"), (two.Current!.PoolOf(Acme), two.Current.PoolOf(Other)));
        // What is so already is not written again.
        _documents.BeforeWrite = () => throw new IOException("written");
        await one.PutAsync(Acme, "default", default);
        Assert.Equal("default", one.Current!.PoolOf(Acme));
    }

    [Fact]
    public async Task Put_OvertakenByAnother_CountsBoth()
    {
        var one = Silo();
        var two = Silo();
        _documents.BeforeWrite = () => two.PutAsync(Other, "alerts", default);
        await one.PutAsync(Acme, "bulk", default);
        Assert.Equal(("bulk", "alerts"), (one.Current!.PoolOf(Acme), one.Current.PoolOf(Other)));
    }

    [Fact]
    public async Task Put_BySiloThatMayBeNone_IsNotWritten()
    {
        var pools = Silo();
        IsConfirmed = false;
        await Assert.ThrowsAsync<IOException>(() => pools.PutAsync(Acme, "bulk", default));
        Assert.Empty(await _documents.ListAsync("control/", default));
    }

    [Fact]
    public async Task Document_IsStoredAsPublished()
    {
        var pools = Silo();
        await pools.PutAsync(Other, "bulk", default);
        await pools.PutAsync(Acme, "bulk", default);
        await pools.PutAsync("t333333333333333", "alerts", default);
        Assert.Equal(
            $$$"""{"version":1,"pools":{"alerts":["t333333333333333"],"bulk":["{{{Other}}}","{{{Acme}}}"]}}""", Encoding.UTF8.GetString((await _documents.ReadAsync(Name, default))!.Content.Span));
    }

    [Theory]
    [InlineData("""{"version":2,"pools":{}}""", "is of version 2; this version of angarium reads 1")]
    [InlineData("""{"version":1,"pools":{},"more":1}""", "cannot be read")]
    [InlineData("""{"version":1}""", "cannot be read")]
    [InlineData("""{"version":1,"pools":{"a":null}}""", "cannot be read")]
    [InlineData("""{"version":1,"pools":{"A b":[]}}""", "which cannot be one")]
    [InlineData("""[]""", "cannot be read")]
    public async Task Document_OfAnotherForm_IsRefusedAndWhatIsKnownStays(string text, string why)
    {
        var pools = Silo();
        await pools.PutAsync(Acme, "bulk", default);
        var tag = (await _documents.ReadAsync(Name, default))!.Tag;
        await _documents.WriteAsync(Name, Encoding.UTF8.GetBytes(text), tag, default);
        Assert.Contains(why, (await Assert.ThrowsAsync<InvalidDataException>(() => pools.RefreshAsync(default))).Message, StringComparison.Ordinal);
        Assert.Equal("bulk", pools.Current!.PoolOf(Acme));
    }

    [Fact]
    public async Task Change_PoolThatNobodyServes_IsInvalid()
    {
        var pools = Silo();
        var tenant = await CreateAsync(pools);
        foreach (var name in new[] { "bulk", "no pool", "../x" })
        {
            var problem = (await tenant.ChangeAsync(new TenantChange { Pool = name }, default)).Problem;
            Assert.Equal((ProblemKind.Invalid, "pool"), (problem?.Kind, problem?.Field));
        }

        Assert.Null((await tenant.ChangeAsync(new TenantChange { Pool = "default" }, default)).Problem);
    }

    [Fact]
    public async Task Change_PoolThatIsServed_IsInBothDocuments()
    {
        var pools = Silo();
        await new WorkerRegister(_documents, this).ClaimAsync("bulk", 1, new StoreTime(5), default);
        var tenant = await CreateAsync(pools);
        Assert.Equal("bulk", (await tenant.ChangeAsync(new TenantChange { Pool = "bulk" }, default)).Tenant!.Pool);
        Assert.Equal("bulk", pools.Current!.PoolOf(Acme));
        await tenant.ChangeAsync(new TenantChange { Name = "Another" }, default);
        Assert.Equal("bulk", pools.Current.PoolOf(Acme));
        // Its mail that is queued still goes by its pool.
        Assert.Null((await tenant.DeleteAsync(null, default)).Problem);
        Assert.Equal("bulk", pools.Current.PoolOf(Acme));
    }

    /// <summary>The silo died between the two writes: the tenant's own document is right.</summary>
    [Fact]
    public async Task AlignPool_OnlyTheRecordWasWritten_SetsTheOtherRight()
    {
        var pools = Silo();
        await new WorkerRegister(_documents, this).ClaimAsync("bulk", 1, new StoreTime(5), default);
        var tenant = await CreateAsync(pools);
        // The record is the first that is written.
        _documents.BeforeWrite = () =>
        {
            IsConfirmed = false;
            return Task.CompletedTask;
        };
        await Assert.ThrowsAsync<IOException>(() => tenant.ChangeAsync(new TenantChange { Pool = "bulk" }, default));
        await pools.RefreshAsync(default);
        Assert.Equal("default", pools.Current!.PoolOf(Acme));
        IsConfirmed = true;
        await tenant.AlignPoolAsync(default);
        Assert.Equal("bulk", pools.Current!.PoolOf(Acme));
        var reads = _documents.Reads.Count;
        await tenant.AlignPoolAsync(default);
        Assert.Equal(reads, _documents.Reads.Count);
    }

    private TenantPools Silo() => new(_documents, new WorkerRegister(_documents, this), this);

    private async Task<Tenant> CreateAsync(TenantPools pools)
    {
        var tenant = new Tenant(Acme, _documents, new DkimKeys(_documents, () => _master), this, () => new TenantsOptions(), new byte[32], TimeProvider.System, pools);
        await tenant.LoadAsync(default);
        Assert.Null((await tenant.CreateAsync(new TenantDraft { Name = "Acme" }, default)).Problem);
        Assert.True(TenantName.IsTenant(Acme));
        return tenant;
    }
}
