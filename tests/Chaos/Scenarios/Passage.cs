using System.Globalization;

namespace Angarium.Chaos.Scenarios;

/// <summary>How fresh mail went through in a span of time: how much, the longest pause of answers and of arrivals, the slowest delivery of what was answered in it. Immutable.</summary>
internal sealed record Passage(int Acknowledged, int Arrived, TimeSpan AnswerPause, TimeSpan ArrivalPause, TimeSpan Slowest)
{
    public void Require(TimeSpan most) =>
        Stage.Require(Acknowledged > 0 && Arrived > 0 && AnswerPause < most && ArrivalPause < most, $"fresh mail paused: {this}");

    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Acknowledged} fresh accepted and {Arrived} delivered, at most {AnswerPause.TotalSeconds:f1} s between two answers and {ArrivalPause.TotalSeconds:f1} s between two arrivals, the slowest {Slowest.TotalSeconds:f1} s after its answer");
}
