using System.Text;
using Angarium.Grains.Control;
using Angarium.Grains.Membership;
using Angarium.Mail;

namespace Angarium.Unit.Grains.Control;

public class ControlDocumentsTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);
    private static readonly RecipientKey s_key = new(1, 2, 3);
    private readonly MemoryDocuments _documents = new();
    private readonly ControlDocuments _control;

    public ControlDocumentsTests() => _control = new ControlDocuments(_documents, new SoleStanding());

    [Fact]
    public async Task Load_NothingOrdered_IsNone() => Assert.Same(DomainControl.None, await _control.LoadAsync("a.example", default));

    [Fact]
    public async Task Change_IsReadBackByAnother_ForThatDomainOnly()
    {
        await _control.ChangeAsync("a.example", c => c with { Held = true, HeldMessages = new HashSet<RecipientKey>(c.HeldMessages) { s_key } }, default);
        var read = await new ControlDocuments(_documents, new SoleStanding()).LoadAsync("a.example", default);
        Assert.True(read.Held);
        Assert.Equal(s_key, Assert.Single(read.HeldMessages));
        Assert.False((await _control.LoadAsync("b.example", default)).Held);
        Assert.DoesNotContain("a.example", Assert.Single(await _documents.ListAsync("control/", default)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Change_TwoAtOnce_BothCount()
    {
        _documents.BeforeWrite = () => _control.ChangeAsync("a", c => c with { Held = true }, default);
        var result = await _control.ChangeAsync("a", c => c with { HeldMessages = new HashSet<RecipientKey>(c.HeldMessages) { s_key } }, default);
        Assert.True(result.Held);
        Assert.Single(result.HeldMessages);
    }

    [Fact]
    public async Task Change_InACluster_IsHeardOfByAllAndOnlyForThatDomain()
    {
        var (a, b) = (new ControlDocuments(_documents, new Clustered()), new ControlDocuments(_documents, new Clustered()));
        await b.HearAsync(default);
        var (before, other) = (b.Version("a"), b.Version("b"));
        var own = a.Version("a");
        await a.ChangeAsync("a", c => c with { Held = true }, default);
        Assert.NotEqual(own, a.Version("a"));
        Assert.Equal(before, b.Version("a"));
        await b.HearAsync(default);
        Assert.NotEqual(before, b.Version("a"));
        Assert.Equal(other, b.Version("b"));
        before = b.Version("a");
        await b.HearAsync(default);
        Assert.Equal(before, b.Version("a"));
    }

    /// <summary>Design rule 20, whoever ordered it and wherever: before an activation's first grant. What was never ordered costs no reading of its own.</summary>
    [Fact]
    public async Task Load_InACluster_KnowsWhatWasOrderedBefore_AndReadsNoDocumentThatIsNotThere()
    {
        var (a, b) = (new ControlDocuments(_documents, new Clustered()), new ControlDocuments(_documents, new Clustered()));
        await a.ChangeAsync("early", c => c with { Held = true }, default);
        _documents.Reads.Clear();
        Assert.True((await b.LoadAsync("early", default)).Held);
        Assert.Equal(2, _documents.Reads.Count);
        for (var i = 0; i < 50; i++) Assert.Same(DomainControl.None, await b.LoadAsync("d" + i, default));
        Assert.Equal(["control/changes"], _documents.Reads.Skip(2).Distinct());
        await a.ChangeAsync("d7", c => c with { Held = true }, default);
        Assert.True((await b.LoadAsync("d7", default)).Held);
        for (var i = 0; i < 600; i++) await a.ChangeAsync("e" + i % 3, c => c with { Held = !c.Held }, default);
        await a.ChangeAsync("d8", c => c with { Held = true }, default);
        for (var i = 0; i < 600; i++) await a.ChangeAsync("e" + i % 3, c => c with { Held = !c.Held }, default);
        Assert.True((await b.LoadAsync("d8", default)).Held);
        Assert.True((await a.LoadAsync("d8", default)).Held);
        Assert.Same(DomainControl.None, await b.LoadAsync("d9", default));
    }

    [Fact]
    public async Task Load_OfManyDomainsAtOnce_SharesALook()
    {
        var control = new ControlDocuments(_documents, new Clustered());
        var (begun, gate) = (new TaskCompletionSource(), new TaskCompletionSource());
        _documents.BeforeRead = () =>
        {
            begun.TrySetResult();
            return gate.Task;
        };
        var first = control.LoadAsync("a", default);
        await begun.Task.WaitAsync(Limit);
        var others = Enumerable.Range(0, 100).Select(i => control.LoadAsync("d" + i, default)).ToList();
        gate.SetResult();
        await Task.WhenAll([first, .. others]).WaitAsync(Limit);

        // Theirs began after they asked.
        Assert.Equal(["control/changes", "control/changes"], _documents.Reads);
    }

    /// <summary>A list that cannot be read, or says what this build does not know, is no reason to give out nothing: the domain's own document tells.</summary>
    [Fact]
    public async Task Load_WhileTheListCannotBeRead_ReadsTheDocument()
    {
        await new ControlDocuments(_documents, new Clustered()).ChangeAsync("a", c => c with { Held = true }, default);
        var control = new ControlDocuments(_documents, new Clustered());
        var isDown = true;
        _documents.BeforeRead = () => isDown && _documents.Reads[^1] == "control/changes" ? throw new IOException("down") : Task.CompletedTask;
        Assert.True((await control.LoadAsync("a", default)).Held);
        Assert.Same(DomainControl.None, await control.LoadAsync("b", default));
        isDown = false;
        foreach (var text in new[] { "{\"version\":1,\"count\":7,\"domains\":null}", "{\"version\":2}" })
        {
            var there = await _documents.ReadAsync("control/changes", default);
            await _documents.WriteAsync("control/changes", Encoding.UTF8.GetBytes(text), there!.Tag, default);
            Assert.True((await new ControlDocuments(_documents, new Clustered()).LoadAsync("a", default)).Held);
        }
    }

    /// <summary>The order was written, and its author could not tell the others of it; he repeats it.</summary>
    [Fact]
    public async Task Change_Repeated_IsToldAllTheSame()
    {
        var (a, b) = (new ControlDocuments(_documents, new Clustered()), new ControlDocuments(_documents, new Clustered()));
        await b.HearAsync(default);
        await new ControlDocuments(_documents, new SoleStanding()).ChangeAsync("a", c => c with { Held = true }, default);
        var before = b.Version("a");
        await a.ChangeAsync("a", c => c with { Held = true }, default);
        await b.HearAsync(default);
        Assert.NotEqual(before, b.Version("a"));
    }

    [Fact]
    public async Task Hear_AfterMoreChangesThanTheListHolds_TakesAllForChanged()
    {
        var (a, b) = (new ControlDocuments(_documents, new Clustered()), new ControlDocuments(_documents, new Clustered()));
        await b.HearAsync(default);
        var before = b.Version("never-changed");
        for (var i = 0; i < 600; i++) await a.ChangeAsync("d" + i % 3, c => c with { Held = !c.Held }, default);
        await b.HearAsync(default);
        Assert.NotEqual(before, b.Version("never-changed"));
    }

    [Theory]
    [InlineData("{\"version\":2,\"count\":1,\"domains\":[],\"other\":1}", "control/changes is of version 2; this version of angarium reads 1.")]
    [InlineData("{\"version\":1,\"count\":1,\"domains\":[],\"other\":1}", "control/changes cannot be read: ")]
    public async Task Hear_OfALaterForm_IsRefused(string stored, string says)
    {
        await _documents.WriteAsync("control/changes", Encoding.UTF8.GetBytes(stored), null, default);
        var refused = await Assert.ThrowsAsync<InvalidDataException>(() => new ControlDocuments(_documents, new Clustered()).HearAsync(default));
        Assert.StartsWith(says, refused.Message);
    }

    [Fact]
    public async Task Change_AsStored_HasNoVersion_AndIsReadWithOne()
    {
        await _control.ChangeAsync("a.example", c => c with { Held = true, HeldMessages = new HashSet<RecipientKey> { s_key } }, default);
        var name = Assert.Single(await _documents.ListAsync("control/", default));
        var document = (await _documents.ReadAsync(name, default))!;
        var text = Encoding.UTF8.GetString(document.Content.Span);
        Assert.Equal($"{{\"domain\":\"a.example\",\"held\":true,\"messages\":[\"{s_key}\"]}}", text);
        await _documents.WriteAsync(name, Encoding.UTF8.GetBytes(text.Replace("{", "{\"version\":1,", StringComparison.Ordinal)), document.Tag, default);
        Assert.True((await _control.LoadAsync("a.example", default)).Held);
    }

    [Theory]
    [InlineData("\"version\":2,\"until\":5", "The control document of a.example is of version 2; this version of angarium reads 1.")]
    [InlineData("\"until\":5", "The control document of a.example cannot be read: ")]
    public async Task Change_OfALaterForm_IsRefusedAndKept(string member, string says)
    {
        await _control.ChangeAsync("a.example", c => c with { Held = true }, default);
        var name = Assert.Single(await _documents.ListAsync("control/", default));
        var stored = Encoding.UTF8.GetBytes($"{{\"domain\":\"a.example\",\"held\":true,\"messages\":[],{member}}}");
        await _documents.WriteAsync(name, stored, (await _documents.ReadAsync(name, default))!.Tag, default);
        Assert.StartsWith(says, (await Assert.ThrowsAsync<InvalidDataException>(() => _control.LoadAsync("a.example", default))).Message);
        await Assert.ThrowsAsync<InvalidDataException>(() => _control.ChangeAsync("a.example", c => c with { Held = false }, default));
        Assert.Equal(stored, (await _documents.ReadAsync(name, default))!.Content.ToArray());
    }

    /// <summary>A silo that was frozen finds a hold that its operator has given up, and has released since on another.</summary>
    [Fact]
    public async Task Change_OnASiloThatMayBeNoneAnyMore_IsRefused()
    {
        await Assert.ThrowsAsync<IOException>(() => new ControlDocuments(_documents, new Clustered { IsConfirmed = false }).ChangeAsync("a", c => c with { Held = true }, default));
        Assert.False((await _control.LoadAsync("a", default)).Held);
    }

    private sealed class Clustered : IStanding
    {
        public bool IsConfirmed { get; init; } = true;

        public bool IsSoleProcess => false;
    }

    [Fact]
    public async Task Change_TooManyMessages_IsRefused() => await Assert.ThrowsAsync<InvalidOperationException>(() =>
        _control.ChangeAsync("a", c => c with { HeldMessages = Enumerable.Range(0, 10_001).Select(i => new RecipientKey(1, (uint)i, 0)).ToHashSet() }, default));
}
