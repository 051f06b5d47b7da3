using System.Diagnostics;
using Angarium.Contracts.Telemetry;
using Angarium.Mail;

namespace Angarium.Unit.Contracts;

/// <summary>Which messages are traced, and under which id. The share is the process's: these tests run one after the other.</summary>
public sealed class MessageTraceTests
{
    private static MessageId Message(ushort ordinal) => new(new RecipientKey(0x0123456789ABCDEF, 42, ordinal));

    [Fact]
    public void Begin_WithoutListener_MakesNothing()
    {
        Assert.False(MessageTrace.IsOn);
        Assert.Null(MessageTrace.Begin("accept", ActivityKind.Server, Message(1)));
    }

    [Fact]
    public void Begin_WithAShare_TracesThatShare_AndTheSameMessagesAgain()
    {
        using var listener = new ActivityListener { ShouldListenTo = source => source.Name == MessageTrace.SourceName, Sample = (ref _) => ActivitySamplingResult.AllDataAndRecorded };
        ActivitySource.AddActivityListener(listener);
        try
        {
            MessageTrace.Share = 0.25;
            var traced = Traced();
            Assert.InRange(traced.Count, 2_250, 2_750);
            Assert.Equal(traced, Traced());
            MessageTrace.Share = 0;
            Assert.Empty(Traced());
            MessageTrace.Share = 1;
            Assert.Equal(10_000, Traced().Count);
            using var span = MessageTrace.Begin("accept", ActivityKind.Server, Message(7), TimeSpan.FromSeconds(3));
            Assert.Equal("616e0123456789abcdef0000002a0007", span!.TraceId.ToHexString());
            Assert.Equal(default, span.ParentSpanId);
            Assert.True(DateTime.UtcNow - span.StartTimeUtc >= TimeSpan.FromSeconds(3));
        }
        finally
        {
            MessageTrace.Share = 1;
        }

        static List<ushort> Traced()
        {
            var traced = new List<ushort>();
            for (ushort i = 0; i < 10_000; i++)
            {
                using var span = MessageTrace.Begin("attempt", ActivityKind.Client, Message(i));
                if (span is not null) traced.Add(i);
            }

            return traced;
        }
    }
}
