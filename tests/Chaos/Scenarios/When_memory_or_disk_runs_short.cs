namespace Angarium.Chaos.Scenarios;

/// <summary>An ingress says 4yz before it runs out of anything; a process with wrong keys says so.</summary>
public sealed class When_memory_or_disk_runs_short(Apart<MemoryOrDiskRunsShort> run) : IClassFixture<Apart<MemoryOrDiskRunsShort>>
{
    [Fact]
    public void Should_say_in_a_line_that_its_secret_is_wrong() => run.Assert();

    [Fact]
    public void Should_say_in_a_line_that_its_storage_key_is_wrong() => run.Assert();

    [Fact]
    public void Should_take_small_mail_while_the_disk_is_full() => run.Assert();

    [Fact]
    public void Should_refuse_for_now_before_memory_runs_out() => run.Assert();

    [Fact]
    public void Should_have_lost_and_doubled_nothing() => run.Assert();
}
