using System.Threading.Channels;
using Angarium.Mail;
using Angarium.Spool.Ledger;
using Angarium.Spool.Time;
using Angarium.Unit.Grains.Control;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Spool;

/// <summary>Appends that are requests to be paid for: spaced under load, never when idle, never at the end.</summary>
public sealed class LedgerSpacingTests : ILedgerStore
{
    private static readonly TimeSpan Spacing = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private readonly FakeTimeProvider _time = new();
    private readonly Channel<TaskCompletionSource<long>> _begun = Channel.CreateUnbounded<TaskCompletionSource<long>>();
    private readonly LedgerWriter _ledger;
    private long _end;
    private ushort _next;

    public LedgerSpacingTests() => _ledger = New(Spacing);

    [Fact]
    public async Task Append_OneAfterTheOther_NeverWaits()
    {
        for (var i = 0; i < 5; i++)
        {
            var append = Append();
            await AnswerAsync();
            await append.WaitAsync(Patience);
        }
    }

    [Fact]
    public async Task Append_UnderLoad_IsSpaced_AndStopsBeingSoWhenTheLoadEnds()
    {
        var first = Append();
        Task[] gathered = [Append(), Append(), Append()];
        await AnswerAsync();
        await first.WaitAsync(Patience);

        // Three had gathered behind it: that was load.
        await AnswerAsync();
        await Task.WhenAll(gathered).WaitAsync(Patience);
        var next = Append();
        _time.Advance(Spacing - TimeSpan.FromTicks(1));
        Assert.False(_begun.Reader.TryPeek(out _));
        _time.Advance(TimeSpan.FromTicks(1));
        await AnswerAsync();
        await next.WaitAsync(Patience);

        // One alone: that was none.
        var alone = Append();
        await AnswerAsync();
        await alone.WaitAsync(Patience);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Append_WhateverTheSpacing_WaitsForAtMostASecond_AndForNothingAtTheEnd(bool ends)
    {
        var ledger = New(TimeSpan.FromSeconds(10));
        var first = Append(ledger);
        Task[] gathered = [Append(ledger), Append(ledger)];
        await AnswerAsync();
        await AnswerAsync();
        await Task.WhenAll([first, .. gathered]).WaitAsync(Patience);
        var waits = Append(ledger);
        Assert.False(_begun.Reader.TryPeek(out _));
        var end = Task.CompletedTask;
        if (ends) end = ledger.DisposeAsync().AsTask();
        else _time.Advance(TimeSpan.FromSeconds(1));
        await AnswerAsync();
        await waits.WaitAsync(Patience);
        await end.WaitAsync(Patience);
    }

    private LedgerWriter New(TimeSpan spacing) => new(this, new MemoryDocuments(), new Clock(_time), _time, NullLogger.Instance, drawId: () => 77, spacing: spacing);

    private Task Append(LedgerWriter? ledger = null) => (ledger ?? _ledger).AppendAsync([new() { Key = new RecipientKey(1, 2, ++_next), Kind = LedgerKind.Delivered, Time = new StoreTime(5) }]);

    private async Task AnswerAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        (await _begun.Reader.ReadAsync(patience.Token)).SetResult(_end);
    }

    Task<long> ILedgerStore.AppendAsync(LedgerStream stream, long offset, ReadOnlyMemory<byte> block, CancellationToken cancellationToken)
    {
        _end = offset + block.Length;
        var begun = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        _begun.Writer.TryWrite(begun);
        return begun.Task;
    }

    Task<long> ILedgerStore.SealAsync(LedgerStream stream, CancellationToken cancellationToken) => Task.FromResult(_end);

    Task<LedgerRead> ILedgerStore.ReadAsync(LedgerStream stream, long offset, int maxBytes, CancellationToken cancellationToken) => throw new NotSupportedException();

    Task<LedgerRead?> ILedgerStore.TryReadAsync(LedgerStream stream, long offset, int maxBytes, CancellationToken cancellationToken) => throw new NotSupportedException();

    IAsyncEnumerable<LedgerStreamListing> ILedgerStore.ListAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    Task ILedgerStore.DeleteAsync(LedgerStream stream, CancellationToken cancellationToken) => throw new NotSupportedException();

    private sealed class Clock(TimeProvider time) : IStoreClock
    {
        public StoreTime Now => StoreTime.FromDateTimeOffset(time.GetUtcNow());

        public bool IsSettled => true;
    }
}
