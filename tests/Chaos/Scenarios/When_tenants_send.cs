namespace Angarium.Chaos.Scenarios;

/// <summary>A tenant's quota and events over a cluster of processes that come and go.</summary>
public sealed class When_tenants_send(Apart<TenantsSend> run) : IClassFixture<Apart<TenantsSend>>
{
    [Fact]
    public void Should_onboard_with_one_call_and_the_records_of_its_answer() => run.Assert();

    [Fact]
    public void Should_hold_the_quota_over_all_ingress_processes() => run.Assert();

    [Fact]
    public void Should_tell_every_event_although_processes_are_killed() => run.Assert();
}
