namespace Angarium.Chaos.Scenarios;

/// <summary>Processes end, in order and by kill, some of them for good.</summary>
public sealed class When_processes_are_replaced(Apart<ProcessesAreReplaced> run) : IClassFixture<Apart<ProcessesAreReplaced>>
{
    [Fact]
    public void Should_lose_double_and_refuse_nothing_in_a_rolling_restart() => run.Assert();

    [Fact]
    public void Should_keep_a_sites_limit_under_kills() => run.Assert();

    [Fact]
    public void Should_deliver_a_full_queue_after_scaling_in_by_SIGTERM() => run.Assert();

    [Fact]
    public void Should_deliver_a_full_queue_after_scaling_in_by_kill() => run.Assert();
}
