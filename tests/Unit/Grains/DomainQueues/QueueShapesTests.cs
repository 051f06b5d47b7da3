using Angarium.Contracts.Admin;
using Angarium.Grains.Control;
using Angarium.Grains.DomainQueues;
using Angarium.Grains.Index;
using Angarium.Grains.Membership;
using Angarium.Mail;
using Microsoft.Extensions.Logging.Abstractions;

namespace Angarium.Unit.Grains.DomainQueues;

/// <summary>What is queued as a table: exact numbers, ages in the columns of Postfix' qshape, what is in memory alone counted too.</summary>
public class QueueShapesTests
{
    private readonly QueueUnderTest _world = new();
    private readonly ActiveDomains _active = new();
    private readonly QueueShapes _shapes;

    public QueueShapesTests() => _shapes = new QueueShapes(_world.Index, _active, _world, _world, _world.Clock, new SiloDesks(null!, new SoleSilo(), NullLogger<SiloDesks>.Instance));

    [Theory]
    [InlineData(0, 0)]
    [InlineData(4.9, 0)]
    [InlineData(5, 1)]
    [InlineData(79, 4)]
    [InlineData(1279, 8)]
    [InlineData(1280, 9)]
    [InlineData(99999, 9)]
    [InlineData(-3, 0)]
    public void AgeOf_IsTheColumnOfQshape(double minutes, int column) => Assert.Equal(column, ShapeRow.AgeOf(TimeSpan.FromMinutes(minutes)));

    [Fact]
    public async Task Shape_CountsByDomainAndTenant_TheLargestFirst_WithTheirAges()
    {
        await PutAsync("a.test", ("acme", 3), ("beta", 1));
        await PutAsync("b.test", ("acme", 2_000));
        _active.Set("b.test", 5);
        _active.Set("c.test", 7);
        _world.Time.Advance(TimeSpan.FromMinutes(25));
        var shape = await _shapes.ShapeAsync(new ShapeRequest { Limit = 2 }, default);
        Assert.Equal([("b.test", 2_005L), ("c.test", 7L)], shape.Rows.Select(row => (row.Name, row.Queued)));
        Assert.Equal([5, 0, 0, 2_000, 0, 0, 0, 0, 0, 0], shape.Rows[0].Ages);
        Assert.Equal((2_016L, 1L, true, 0), (shape.Total.Queued, shape.MoreRows, shape.IsSampled, shape.SilentSilos));
        Assert.Equal([12, 0, 0, 2_004, 0, 0, 0, 0, 0, 0], shape.Total.Ages);

        var tenants = await _shapes.ShapeAsync(new ShapeRequest { By = ShapeBy.Tenant }, default);
        Assert.Equal([("acme", 2_003L), (QueueShapes.Fresh, 12L), ("beta", 1L)], tenants.Rows.Select(row => (row.Name, row.Queued)));
        var one = await _shapes.ShapeAsync(new ShapeRequest { By = ShapeBy.Tenant, Domain = "a.test" }, default);
        Assert.Equal([("acme", 3L), ("beta", 1L)], one.Rows.Select(row => (row.Name, row.Queued)));
        Assert.False(one.IsSampled);
    }

    /// <summary>A domain that has some in memory may have some of the tenant's: an order for that goes there, too.</summary>
    [Fact]
    public async Task Find_OfATenant_NamesTheDomainsThatHaveOrMayHaveSome()
    {
        await PutAsync("a.test", ("acme", 3));
        await PutAsync("b.test", ("beta", 3));
        _active.Set("c.test", 7);
        Assert.Equal([("a.test", 3L), ("c.test", 0L)], (await _shapes.FindAsync(new ShapeRequest { Tenant = "acme" }, default)).Select(one => (one.Domain, one.Queued)));
    }

    [Fact]
    public async Task Shape_BySite_SumsTheDomainsThatGoThere()
    {
        await PutAsync("a.test", ("acme", 3));
        await PutAsync("b.test", ("beta", 4));
        Assert.Equal(("site", 7L), (await _shapes.ShapeAsync(new ShapeRequest { By = ShapeBy.Site }, default)).Rows.Select(row => (row.Name, row.Queued)).Single());
        Assert.Equal(2, (await _shapes.FindAsync(new ShapeRequest { Site = "bulk!site" }, default)).Length);
        Assert.Empty(await _shapes.FindAsync(new ShapeRequest { Site = "elsewhere" }, default));
    }

    private async Task PutAsync(string domain, params (string Tenant, int Count)[] lanes)
    {
        await _world.Index.TakeAsync(domain, 9, default);
        var owner = new IndexOwner(9, (await _world.Index.StampAsync(0, default)).Run);
        var rows = lanes.SelectMany(lane => Enumerable.Range(0, lane.Count).Select(i => new IndexRow(new Lane(lane.Tenant, MessageClass.Bulk), new IndexMember(new RecipientKey(1, 1, (ushort)i), 16, 100, 0), _world.Clock.Now, 1)));
        await _world.Index.WriteAsync(domain, owner, [.. rows.Select(row => new IndexChange(row, Remove: false))], default);
    }
}
