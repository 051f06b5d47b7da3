using System.Diagnostics;

namespace Angarium.Bench.Load;

/// <summary>When each message was sent (its final dot), answered, and arrived, in ticks of the one clock of this process. Any thread; each place is written by one.</summary>
internal sealed class Times(int messages)
{
    private readonly long[] sent = new long[messages], answered = new long[messages], arrived = new long[messages];
    private int missing = messages;

    public TaskCompletionSource AllArrived { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Sent(int number) => sent[number] = Stopwatch.GetTimestamp();

    public void Answered(int number) => answered[number] = Stopwatch.GetTimestamp();

    public void Arrived(int number)
    {
        if (Interlocked.CompareExchange(ref arrived[number], Stopwatch.GetTimestamp(), 0) == 0 && Interlocked.Decrement(ref missing) == 0) AllArrived.TrySetResult();
    }

    /// <summary>Milliseconds from the final dot to its 250.</summary>
    public double[] ToAnswer() => Between(sent, answered);

    /// <summary>Milliseconds from the final dot sent to the relay to the final dot that the receiver had from it.</summary>
    public double[] ToArrival() => Between(sent, arrived);

    /// <summary>The value that so many of a hundred do not exceed.</summary>
    public static double Percentile(double[] values, double percent)
    {
        var sorted = values.Order().ToArray();
        return sorted[Math.Clamp((int)Math.Ceiling(percent / 100 * sorted.Length) - 1, 0, sorted.Length - 1)];
    }

    private static double[] Between(long[] from, long[] to) => [.. from.Zip(to, (a, b) => Stopwatch.GetElapsedTime(a, b).TotalMilliseconds)];
}
