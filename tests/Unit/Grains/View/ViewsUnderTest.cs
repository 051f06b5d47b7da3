using Angarium.Grains.Membership;
using Angarium.Grains.View;
using Angarium.Mail;
using Angarium.Spool.Ledger;
using Angarium.Spool.Time;
using Angarium.TestKit.Logging;
using Angarium.Unit.Grains.Control;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Grains.View;

/// <summary>Silos with the real view and the real writer of the ledger over shared stores in memory, in the test's time.</summary>
internal sealed class ViewsUnderTest : IStoreClock
{
    public ViewsUnderTest() => Ledger = new MemoryLedger(this);

    public FakeTimeProvider Time { get; } = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));

    public MemoryLedger Ledger { get; }

    public MemoryDocuments Documents { get; } = new();

    public HashSet<string> Dead { get; } = [];

    /// <summary>Silos that are in no list.</summary>
    public HashSet<string> Unknown { get; } = [];

    public StoreTime Now => StoreTime.FromDateTimeOffset(Time.GetUtcNow());

    public bool IsSettled => true;

    public Silo Start(string name) => new(this, name);

    /// <summary>Lets time go on in small steps until the task has ended.</summary>
    public async Task<T> Until<T>(Task<T> task)
    {
        await Until((Task)task);
        return await task;
    }

    public async Task Until(Task task)
    {
        // However long the machine keeps the threads that work on it waiting.
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (!task.IsCompleted && !limit.IsCancellationRequested)
        {
            Time.Advance(TimeSpan.FromMilliseconds(10));
            await Task.Yield();
        }

        Assert.True(task.IsCompleted, "it did not end in time");
        await task;
    }

    /// <summary>One silo.</summary>
    internal sealed class Silo : IStanding, ISilos
    {
        private readonly ViewsUnderTest _all;

        public Silo(ViewsUnderTest all, string name)
        {
            (_all, Own) = (all, name);
            View = new RecordView(all.Ledger, all.Documents, all, this, this, LedgerReader.Decode, () => Ledger!.Writer, all.Time, Log);
            Ledger = new LedgerWriter(all.Ledger, all.Documents, all, all.Time, NullLogger.Instance, View.OnDurable, silo: () => Own, isMember: () => Task.FromResult(IsConfirmed));
        }

        public LogLines<RecordView> Log { get; } = new();

        public RecordView View { get; }

        public LedgerWriter Ledger { get; }

        public string Own { get; }

        public bool IsConfirmed { get; set; } = true;

        public bool IsSoleProcess => false;

        public bool? IsAlive(string silo) => _all.Unknown.Contains(silo) || silo.Length == 0 ? null : !_all.Dead.Contains(silo);

        public Func<ulong, bool> Share { get; set; } = _ => true;

        public bool IsMine(ulong item) => Share(item);

        public Task Record(RecipientKey key, LedgerKind kind = LedgerKind.Delivered) => _all.Until(Ledger.AppendAsync([new LedgerRecord { Key = key, Kind = kind, Time = _all.Now }]));

        public Task Refresh() => _all.Until(View.RefreshAsync(CancellationToken.None));

        public Task Open() => _all.Until(View.OpenAsync(CancellationToken.None));

        /// <summary>What it appends to from now on is a new stream.</summary>
        public void Roll() => _all.Time.Advance(TimeSpan.FromMinutes(61));
    }
}
