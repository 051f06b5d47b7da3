using System.IO.Pipelines;
using System.Net;
using Angarium.Contracts.Configuration;
using Angarium.Ingress;
using Angarium.Ingress.Content;
using Angarium.Ingress.Sessions;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Ingress;

/// <summary>A session that is woken ends at once, and may have disposed of its pipe before the watch is done with it.</summary>
public sealed class ConnectionWatchTests
{
    [Fact]
    public void Sweep_ASessionIsQuickerThanItsWatch_TheOthersAreEndedAllTheSame()
    {
        var time = new FakeTimeProvider();
        var options = new IngressOptions();
        var registry = new ConnectionRegistry(new FixedSettings<IngressOptions>(options), new GatherBudget(1 << 20, 1 << 20), time);
        var pipes = Enumerable.Range(0, 3).Select(_ => new Gone()).ToArray();
        var watches = pipes.Select(pipe =>
        {
            var watch = registry.TryAdd(IPAddress.Loopback, isTrusted: true, () => { }, out _)!;
            watch.Attach(pipe);
            watch.Wait(isIdle: true);
            return watch;
        }).ToArray();
        time.Advance(options.Timeout + TimeSpan.FromSeconds(1));
        registry.Sweep();
        Assert.All(watches, w => Assert.Equal(SessionEnd.Timeout, w.End));
        Assert.All(pipes, p => Assert.True(p.IsWoken));
    }

    private sealed class Gone : IDuplexPipe
    {
        public Gone() => (Input, Output) = (new Reader(this), new Writer());

        public bool IsWoken { get; private set; }

        public PipeReader Input { get; }

        public PipeWriter Output { get; }

        private sealed class Reader(Gone pipe) : PipeReader
        {
            public override void CancelPendingRead() => pipe.IsWoken = true;

            public override void AdvanceTo(SequencePosition consumed) => throw new NotSupportedException();

            public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) => throw new NotSupportedException();

            public override void Complete(Exception? exception = null) => throw new NotSupportedException();

            public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) => throw new NotSupportedException();

            public override bool TryRead(out ReadResult result) => throw new NotSupportedException();
        }

        private sealed class Writer : PipeWriter
        {
            public override void CancelPendingFlush() => throw new ObjectDisposedException("the pipe");

            public override void Advance(int bytes) => throw new NotSupportedException();

            public override void Complete(Exception? exception = null) => throw new NotSupportedException();

            public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => throw new NotSupportedException();

            public override Memory<byte> GetMemory(int sizeHint = 0) => throw new NotSupportedException();

            public override Span<byte> GetSpan(int sizeHint = 0) => throw new NotSupportedException();
        }
    }
}
