namespace Angarium.Chaos.Scenarios;

/// <summary>Dashboards and rules over a real Prometheus and a cluster with load and faults.</summary>
public sealed class When_somebody_monitors(Apart<MonitoringAnswers> run) : IClassFixture<Apart<MonitoringAnswers>>
{
    [Fact]
    public void Should_answer_while_mail_flows_and_receivers_refuse() => run.Assert();

    [Fact]
    public void Should_answer_while_Redis_hangs() => run.Assert();

    [Fact]
    public void Should_answer_while_a_silo_is_dead() => run.Assert();
}
