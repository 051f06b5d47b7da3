namespace Angarium.Chaos.Scenarios;

/// <summary>What an operator orders of a cluster stands, whatever is killed or wiped.</summary>
public sealed class When_operators_order(Apart<OperatorsOrder> run) : IClassFixture<Apart<OperatorsOrder>>
{
    [Fact]
    public void Should_count_what_is_queued_by_domain_site_tenant_and_age() => run.Assert();

    [Fact]
    public void Should_take_orders_over_all_silos() => run.Assert();

    [Fact]
    public void Should_keep_all_of_it_through_kill_9_of_everything_and_a_wipe_of_Redis() => run.Assert();

    [Fact]
    public void Should_resume_release_and_retry() => run.Assert();

    [Fact]
    public void Should_have_every_order_in_the_audit_and_every_drop_in_the_events() => run.Assert();
}
