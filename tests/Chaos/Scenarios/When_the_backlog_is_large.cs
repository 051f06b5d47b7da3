namespace Angarium.Chaos.Scenarios;

/// <summary>Memory, time to recover and fairness with a backlog.</summary>
public sealed class When_the_backlog_is_large(Apart<TheBacklogIsLarge> run) : IClassFixture<Apart<TheBacklogIsLarge>>
{
    [Fact]
    public void Should_keep_little_of_deferred_mail_in_memory() => run.Assert();

    [Fact]
    public void Should_deliver_soon_after_all_silos_were_killed() => run.Assert();

    [Fact]
    public void Should_deliver_soon_after_all_silos_came_back_at_new_addresses() => run.Assert();

    [Fact]
    public void Should_send_another_tenants_message_among_the_next() => run.Assert();
}
