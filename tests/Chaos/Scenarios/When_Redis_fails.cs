namespace Angarium.Chaos.Scenarios;

/// <summary>Redis is wiped, stopped and killed; nobody needs to do anything.</summary>
public sealed class When_Redis_fails(Apart<RedisFails> run) : IClassFixture<Apart<RedisFails>>
{
    [Fact]
    public void Should_ask_little_of_storage_and_Redis_when_idle() => run.Assert();

    [Fact]
    public void Should_queue_everything_again_after_FLUSHALL() => run.Assert();

    [Fact]
    public void Should_go_on_while_Redis_hangs() => run.Assert();

    [Fact]
    public void Should_go_on_while_Redis_is_dead() => run.Assert();

    [Fact]
    public void Should_have_lost_and_doubled_nothing() => run.Assert();
}
