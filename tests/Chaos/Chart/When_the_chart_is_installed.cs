using Angarium.Chaos.Scenarios;

namespace Angarium.Chaos.Chart;

/// <summary>Without values: one pod; then by the example of one.</summary>
public sealed class When_the_chart_is_installed(Apart<ChartAlone> run) : IClassFixture<Apart<ChartAlone>>
{
    [Fact]
    public void Should_serve_on_every_port_that_is_declared() => run.Assert();

    [Fact]
    public void Should_pass_its_own_test() => run.Assert();

    [Fact]
    public void Should_lose_and_cut_nothing_when_every_workload_is_replaced() => run.Assert();
}

/// <summary>The production example and those beside it.</summary>
public sealed class When_the_chart_is_installed_for_production(Apart<ChartProduction> run) : IClassFixture<Apart<ChartProduction>>
{
    [Fact]
    public void Should_serve_on_every_port_that_is_declared() => run.Assert();

    [Fact]
    public void Should_pass_its_own_test() => run.Assert();

    [Fact]
    public void Should_know_clients_behind_the_load_balancer() => run.Assert();

    [Fact]
    public void Should_keep_what_silos_hold_from_ingress_and_egress() => run.Assert();

    [Fact]
    public void Should_send_a_tenants_mail_by_the_pool_of_a_further_release() => run.Assert();

    [Fact]
    public void Should_send_from_the_addresses_that_nodes_hold() => run.Assert();

    [Fact]
    public void Should_send_through_a_proxy() => run.Assert();

    [Fact]
    public void Should_lose_and_cut_nothing_when_every_workload_is_replaced() => run.Assert();

    [Fact]
    public void Should_reach_storage_by_the_identity_of_each_role() => run.Assert();
}
