using System.Runtime.CompilerServices;
using System.Text;
using Angarium.Mail;
using Angarium.Spool.Packs;
using Angarium.TestKit.Peers;
using Angarium.TestKit.Storage;
using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.Logging.Abstractions;

namespace Angarium.Bench.Micro;

/// <summary>Group commit of 4 KiB messages without the disk: what encoding and answering cost each.</summary>
[MemoryDiagnoser]
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "Ended by End.")]
public class PackBenchmarks
{
    private readonly byte[] _content = Encoding.ASCII.GetBytes("Subject: x\r\n\r\n" + string.Concat(Enumerable.Repeat(new string('x', 76) + "\r\n", 52)));
    private readonly PackWriter _writer = new(new Nowhere(), new PackCache(64 << 20), new PlainClock(TimeProvider.System), TimeProvider.System, TimeSpan.Zero, NullLogger.Instance);
    private readonly Task[] _commits = new Task[20];

    [GlobalCleanup]
    public async Task End() => await _writer.DisposeAsync();

    [Benchmark(OperationsPerInvoke = 20)]
    public Task Commit()
    {
        for (var i = 0; i < _commits.Length; i++) _commits[i] = _writer.CommitAsync(Mails.To(_content, "someone@recipient.test"), CancellationToken.None);
        return Task.WhenAll(_commits);
    }

    /// <summary>Takes every pack at once, on another thread, and keeps none.</summary>
    private sealed class Nowhere : IPackStore
    {
        public int MaxCreationsInFlight => 1;

        public async Task<PackCreation> CreateAsync(PackName name, PackImage image, CancellationToken cancellationToken)
        {
            await Task.Yield();
            return PackCreation.Created;
        }

        public ValueTask<int> ReadAsync(PackName name, long offset, Memory<byte> into, CancellationToken cancellationToken) => new(-1);

        public async IAsyncEnumerable<PackListing> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken)
        {
            await Task.CompletedTask;
            yield break;
        }

        public Task DeleteAsync(PackName name, CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
