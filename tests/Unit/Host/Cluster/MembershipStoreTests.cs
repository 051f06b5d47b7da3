using Angarium.Host.Cluster;
using Angarium.Host.Serving;
using Angarium.Spool.Documents;
using Angarium.TestKit.Logging;
using Angarium.Unit.Grains.Control;
using Microsoft.Extensions.Time.Testing;
using Orleans.Runtime;

namespace Angarium.Unit.Host.Cluster;

public sealed class MembershipStoreTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(7);

    private readonly MemoryDocuments _documents = new();
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task Initialize_WithNothingThere_WaitsBeforeItMakesAnEmptyDocument()
    {
        var starting = Store().InitializeAsync(s_patience);
        await AdvanceAsync(s_patience - TimeSpan.FromMilliseconds(100));
        Assert.False(starting.IsCompleted);
        Assert.Null(await Stored());
        await AdvanceAsync(TimeSpan.FromMilliseconds(200));
        await PumpAsync(starting);
        Assert.Equal(0, (await Stored())!.Version);
    }

    /// <summary>The document was deleted: a living silo puts its own back while the new one waits, so that there is no second cluster.</summary>
    [Fact]
    public async Task Initialize_WhileALivingSiloPutsItsDocumentBack_TakesThat()
    {
        var living = await StoreWith(version: 3);
        await _documents.DeleteAsync(MembershipDocument.Name, CancellationToken.None);
        var starting = Store().InitializeAsync(s_patience);
        await AdvanceAsync(TimeSpan.FromSeconds(5));
        await living.ReadAsync();
        await AdvanceAsync(TimeSpan.FromSeconds(1));
        await PumpAsync(starting);
        Assert.Equal(3, (await Stored())!.Version);
    }

    [Fact]
    public async Task Initialize_ByManyAtOnce_MakesOneDocument()
    {
        var stores = Enumerable.Range(0, 6).Select(_ => Store()).ToList();
        await Task.WhenAll(stores.Select(store => store.InitializeAsync(TimeSpan.Zero)));
        Assert.Single((await Task.WhenAll(stores.Select(store => store.ReadAsync()))).Select(document => document!.Edit).Distinct());
    }

    [Fact]
    public async Task Change_AfterAnotherWasFirst_IsAppliedToWhatThatWrote()
    {
        var store = await StoreWith(version: 1);
        var other = Store();
        _documents.BeforeWrite = async () => await other.ChangeAsync(document => document.With(Row(8)));
        Assert.True(await PumpAsync(store.ChangeAsync(document => document.With(Row(9)))));
        Assert.Equal(3, (await Stored())!.Version);
        Assert.Equal(3, (await Stored())!.Silos.Count);
    }

    [Fact]
    public async Task Change_WhileOthersAreAlwaysFirst_EndsInAFailure()
    {
        var store = await StoreWith(version: 1);
        var other = Store();
        void Again() => _documents.BeforeWrite = async () =>
        {
            await other.ChangeAsync(document => document.With(Row(document.Version + 10)));
            Again();
        };
        Again();
        await Assert.ThrowsAsync<IOException>(() => PumpAsync(store.ChangeAsync(document => document.With(Row(5)))));
    }

    [Fact]
    public async Task Read_WhenGone_PutsBackWhatItRemembersAndSaysSo()
    {
        var log = new LogLines<MembershipStore>();
        var store = await StoreWith(version: 2, log);
        await _documents.DeleteAsync(MembershipDocument.Name, CancellationToken.None);
        Assert.Equal(2, (await store.ReadAsync())!.Version);
        Assert.Equal(2, (await Stored())!.Version);
        Assert.Contains(log.All, line => line.Contains("is gone: putting back version 2", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Read_WhenRolledBackByAnother_TheNewestHasTheLastWord()
    {
        var (older, newer) = (await StoreWith(version: 2), Store());
        Assert.True(await newer.ChangeAsync(document => document.With(Row(77))));
        await _documents.DeleteAsync(MembershipDocument.Name, CancellationToken.None);
        await older.ReadAsync();
        Assert.Equal(2, (await Stored())!.Version);
        await newer.ReadAsync();
        Assert.Equal(3, (await Stored())!.Version);
        Assert.Equal(3, (await older.ReadAsync())!.Version);
    }

    [Fact]
    public async Task Read_ByAClient_NeverWrites()
    {
        var client = Store(mayWrite: false);
        Assert.Null(await client.ReadAsync());
        var silo = await StoreWith(version: 2);
        await client.ReadAsync();
        var now = await _documents.ReadAsync(MembershipDocument.Name, CancellationToken.None);
        await _documents.DeleteAsync(MembershipDocument.Name, CancellationToken.None);
        await Assert.ThrowsAsync<IOException>(client.ReadAsync);
        Assert.Null(await Stored());
        await _documents.WriteAsync(MembershipDocument.Name, MembershipDocument.Empty("mail").Encode(), null, CancellationToken.None);
        await Assert.ThrowsAsync<IOException>(client.ReadAsync);
        Assert.Equal(0, (await Stored())!.Version);
        await silo.ReadAsync();
        Assert.Equal(2, (await client.ReadAsync())!.Version);
        Assert.NotNull(now);
    }

    /// <summary>What a read returns late, after this process wrote a newer version, is no roll-back.</summary>
    [Fact]
    public async Task Read_OvertakenByAWrite_IsNotTakenForARollback()
    {
        var log = new LogLines<MembershipStore>();
        var slow = new SlowDocuments(_documents);
        var store = new MembershipStore(slow, "mail", mayWrite: true, _time, log);
        await store.InitializeAsync(TimeSpan.Zero);
        slow.Hold = new TaskCompletionSource();
        var reading = store.ReadAsync();
        var held = slow.Hold;
        slow.Hold = null;
        Assert.True(await store.ChangeAsync(document => document.With(Row(1))));
        held.SetResult();
        await reading;
        Assert.Equal(1, (await Stored())!.Version);
        Assert.Empty(log.All);
    }

    /// <summary>A start that fails by this is told in one line, which names the document.</summary>
    [Fact]
    public async Task Read_NotAnswered_FailsAfterTenSecondsWithTheName()
    {
        var slow = new SlowDocuments(_documents) { Hold = new TaskCompletionSource() };
        var reading = new MembershipStore(slow, "mail", mayWrite: true, _time, new LogLines<MembershipStore>()).ReadAsync();
        await AdvanceAsync(TimeSpan.FromSeconds(9.9));
        Assert.False(reading.IsCompleted);
        await AdvanceAsync(TimeSpan.FromSeconds(0.2));
        var late = await Assert.ThrowsAsync<IOException>(() => reading);
        Assert.Equal("The document cluster/membership: the store does not answer within 10 s", StartFailure.Explain(late));
    }

    private static MembershipRow Row(int generation) => MembershipRow.From(
        new Orleans.MembershipEntry { SiloAddress = SiloAddress.FromParsableString($"10.0.0.1:11111@{generation}"), Status = SiloStatus.Active }, 1);

    private MembershipStore Store(bool mayWrite = true, LogLines<MembershipStore>? log = null) => new(_documents, "mail", mayWrite, _time, log ?? new());

    private async Task<MembershipStore> StoreWith(int version, LogLines<MembershipStore>? log = null)
    {
        var store = Store(log: log);
        await store.InitializeAsync(TimeSpan.Zero);
        for (var i = 1; i <= version; i++) await store.ChangeAsync(document => document.With(Row(100)));
        return store;
    }

    private async Task<MembershipDocument?> Stored() =>
        await _documents.ReadAsync(MembershipDocument.Name, CancellationToken.None) is { } document ? MembershipDocument.Decode(document.Content, "mail") : null;

    private async Task AdvanceAsync(TimeSpan by)
    {
        for (var left = by; left > TimeSpan.Zero; left -= TimeSpan.FromMilliseconds(100))
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }
    }

    /// <summary>Moves time until it is done: its pauses are drawn at random.</summary>
    private async Task<bool> PumpAsync(Task<bool> task)
    {
        await PumpAsync((Task)task);
        return await task;
    }

    private async Task PumpAsync(Task task)
    {
        while (!task.IsCompleted)
        {
            _time.Advance(TimeSpan.FromMilliseconds(20));
            await Task.Yield();
        }

        await task;
    }

    private sealed class SlowDocuments(IDocumentStore inner) : IDocumentStore
    {
        public TaskCompletionSource? Hold { get; set; }

        public async Task<Document?> ReadAsync(string name, CancellationToken cancellationToken)
        {
            var read = await inner.ReadAsync(name, cancellationToken);
            if (Hold is { } hold) await hold.Task.WaitAsync(cancellationToken);
            return read;
        }

        public Task<string?> WriteAsync(string name, ReadOnlyMemory<byte> content, string? tag, CancellationToken cancellationToken) => inner.WriteAsync(name, content, tag, cancellationToken);

        public Task DeleteAsync(string name, CancellationToken cancellationToken) => inner.DeleteAsync(name, cancellationToken);

        public Task<IReadOnlyList<string>> ListAsync(string prefix, CancellationToken cancellationToken) => inner.ListAsync(prefix, cancellationToken);
    }
}
