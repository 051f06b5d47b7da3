using System.Text;
using Angarium.Contracts.Inbound;
using Angarium.Contracts.Routing;
using Angarium.Contracts.Tenants;
using Angarium.Grains.Inbound;
using Angarium.Unit.Grains.Control;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Grains.Inbound;

/// <summary>One inbound domain over documents in memory and tenants that say what they are told.</summary>
public sealed class InboundDomainTests : IRouteResolver
{
    private const string Mine = "t22222222222222a", Other = "t22222222222222b";

    private readonly MemoryDocuments _documents = new();
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 28, 12, 0, 0, TimeSpan.Zero));
    private readonly Dictionary<string, FakeOwner> _owners = new() { [Mine] = new() { Standing = new OwnerStanding(true, false, true) }, [Other] = new() { Standing = new OwnerStanding(true, false, true) } };
    private readonly InboundNames _names;
    private readonly InboundDomain _domain;
    private string? _refusal;

    public InboundDomainTests()
    {
        _names = new InboundNames(_documents, _time);
        _domain = Open();
    }

    public ValueTask<SiteRoute> ResolveSiteAsync(string domain, CancellationToken cancellationToken) => throw new NotSupportedException("It would ask the domain that asks it.");

    public ValueTask<string?> RefuseAsync(string domain, InboundRoute? route, CancellationToken cancellationToken) => new(_refusal);

    [Fact]
    public async Task Add_OfAVerifiedDomain_TakesItsMailAndStaysSo()
    {
        await LookAsync();
        Assert.Equal(InboundAnswer.Nobodys, await _domain.JudgeAsync("anna", default));
        var added = Done(await _domain.AddAsync(new InboundDraft { Tenant = Mine, Route = "Mail.Example.org:2525", Recipients = ["Anna", "bob@EXAMPLE.org", "\"a b\"@example.org", "anna"] }, default));
        Assert.Equal(("active", "mail.example.org:2525", 3, false), (added.Status, added.Route, added.Recipients, added.CatchAll));
        Assert.True(_names.MayHave("example.org"));
        Assert.Equal(["example.org"], _owners[Mine].Entered);
        foreach (var domain in new[] { _domain, Open() })
        {
            Assert.Equal(new InboundAnswer(InboundStanding.Accepted, Mine), await domain.JudgeAsync("ANNA", default));
            Assert.Equal(new InboundAnswer(InboundStanding.Unknown, Mine), await domain.JudgeAsync("carl", default));
            Assert.Equal("inbound:mail.example.org:2525", await domain.SiteAsync(default));
            Assert.Equal(["a b", "anna", "bob"], (await domain.RecipientsAsync(Mine, null, 10, default))!);
            Assert.Equal(["anna"], (await domain.RecipientsAsync(Mine, "a b", 1, default))!);
            Assert.Equal(["bob"], (await domain.RecipientsAsync(Mine, "anyone", 1, default))!);
            Assert.Empty((await domain.RecipientsAsync(Mine, "bob", 1, default))!);
        }
    }

    [Fact]
    public async Task Another_CannotHaveItNorSeeIt()
    {
        Done(await _domain.AddAsync(new InboundDraft { Tenant = Mine }, default));
        foreach (var isAdministrator in new[] { false, true })
        {
            var refused = (await _domain.AddAsync(new InboundDraft { Tenant = Other, ByAdministrator = isAdministrator }, default)).Problem!;
            Assert.Equal(ProblemKind.Conflict, refused.Kind);
            Assert.DoesNotContain(Mine, refused.ToString());
        }

        var version = Done(await _domain.ReadAsync(Mine, default)).Version;
        foreach (var nothing in new[]
        {
            await _domain.ReadAsync(Other, default), await _domain.ReadAsync("", default), await _domain.ChangeAsync(new InboundChange { Tenant = Other, CatchAll = false }, default), await _domain.RemoveAsync(Other, default),
            await _domain.AddRecipientsAsync(Other, ["x"], default), await _domain.RemoveRecipientAsync(Other, "x", default),
        }) Assert.Equal(ProblemKind.NotFound, nothing.Problem?.Kind);
        Assert.Null(await _domain.RecipientsAsync(Other, null, 10, default));
        Assert.Equal(version, Done(await _domain.ReadAsync(Mine, default)).Version);
        Assert.Equal(ProblemKind.Conflict, (await _domain.AddAsync(new InboundDraft { Tenant = Mine }, default)).Problem?.Kind);
    }

    [Fact]
    public async Task Add_OfWhatIsNotVerified_IsAnAdministratorsToDo()
    {
        _owners[Mine].Standing = new OwnerStanding(true, false, false);
        Assert.Equal((ProblemKind.Invalid, "domain"), Kind(await _domain.AddAsync(new InboundDraft { Tenant = Mine }, default)));
        Assert.Empty(await _documents.ListAsync("inbound/", default));
        Assert.Equal("active", Done(await _domain.AddAsync(new InboundDraft { Tenant = Mine, ByAdministrator = true }, default)).Status);
        Assert.Equal(InboundStanding.Accepted, (await _domain.JudgeAsync("anyone", default)).Standing);
        _owners[Mine].Standing = default;
        Assert.Equal(ProblemKind.NotFound, (await _domain.AddAsync(new InboundDraft { Tenant = Mine, ByAdministrator = true }, default)).Problem?.Kind);
    }

    [Fact]
    public async Task Verified_NoMore_TakesNoMailAndMayBecomeAnothers()
    {
        Done(await _domain.AddAsync(new InboundDraft { Tenant = Mine, Route = "mail.example.org", Recipients = ["anna"] }, default));
        _owners[Mine].Standing = new OwnerStanding(true, false, false);
        // What was heard is believed for five seconds.
        Assert.Equal("inbound:mail.example.org:25", await _domain.SiteAsync(default));
        _time.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal(InboundAnswer.Nobodys, await _domain.JudgeAsync("anna", default));
        Assert.Null(await _domain.SiteAsync(default));
        Assert.Equal("unverified", Done(await _domain.ReadAsync(Mine, default)).Status);

        Done(await _domain.AddAsync(new InboundDraft { Tenant = Other }, default));
        Assert.Equal(new InboundAnswer(InboundStanding.Accepted, Other), await _domain.JudgeAsync("carl", default));
        Assert.Equal(ProblemKind.NotFound, (await _domain.ReadAsync(Mine, default)).Problem?.Kind);
        // Whoever had it gets it off his list.
        Assert.Equal(ProblemKind.NotFound, (await _domain.RemoveAsync(Mine, default)).Problem?.Kind);
        Assert.Empty(_owners[Mine].Entered);
        Assert.Equal("active", Done(await _domain.ReadAsync(Other, default)).Status);
    }

    [Fact]
    public async Task Paused_Tenant_TakesNoMailForNow()
    {
        Done(await _domain.AddAsync(new InboundDraft { Tenant = Mine, Route = "mail.example.org" }, default));
        _owners[Mine].Standing = new OwnerStanding(true, true, true);
        _time.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal(new InboundAnswer(InboundStanding.Paused, Mine), await _domain.JudgeAsync("anna", default));
        Assert.Equal("paused", Done(await _domain.ReadAsync(Mine, default)).Status);
        // What was taken is passed on.
        Assert.NotNull(await _domain.SiteAsync(default));
    }

    [Fact]
    public async Task Remove_LeavesNothingOfIt()
    {
        Done(await _domain.AddAsync(new InboundDraft { Tenant = Mine, Recipients = ["anna"] }, default));
        Assert.Null((await _domain.RemoveAsync(Mine, default)).Problem);
        Assert.True(_domain.IsNobodys);
        Assert.Empty(_owners[Mine].Entered);
        Assert.Equal(InboundAnswer.Nobodys, await _domain.JudgeAsync("anna", default));
        var left = (await _documents.ReadAsync(InboundNames.DocumentOf("example.org"), default))!;
        Assert.DoesNotContain("anna", Encoding.UTF8.GetString(left.Content.Span));
        Assert.DoesNotContain(Mine, Encoding.UTF8.GetString(left.Content.Span));
        Assert.Equal("active", Done(await Open().AddAsync(new InboundDraft { Tenant = Other }, default)).Status);
    }

    [Fact]
    public async Task Change_OfTheRoute_IsPublicUnlessItSaysOtherwise()
    {
        Done(await _domain.AddAsync(new InboundDraft { Tenant = Mine, Route = "10.0.0.1", IsPrivate = true, ByAdministrator = true }, default));
        Assert.Equal("inbound-private:10.0.0.1:25", await _domain.SiteAsync(default));
        var kept = Done(await _domain.ChangeAsync(new InboundChange { Tenant = Mine, CatchAll = false }, default));
        Assert.Equal(("10.0.0.1:25", true, false), (kept.Route, kept.IsPrivate, kept.CatchAll));
        var changed = Done(await _domain.ChangeAsync(new InboundChange { Tenant = Mine, Route = "mail.example.org" }, default));
        Assert.Equal(("mail.example.org:25", false), (changed.Route, changed.IsPrivate));
        Assert.Equal(ProblemKind.Stale, (await _domain.ChangeAsync(new InboundChange { Tenant = Mine, IfVersion = kept.Version, Route = "" }, default)).Problem?.Kind);
        Assert.Equal((ProblemKind.Invalid, "route"), Kind(await _domain.ChangeAsync(new InboundChange { Tenant = Mine, Route = "a b" }, default)));
        _refusal = "It is not a public address.";
        Assert.Equal((ProblemKind.Invalid, "route"), Kind(await _domain.ChangeAsync(new InboundChange { Tenant = Mine, Route = "10.0.0.1" }, default)));
        Assert.Equal((ProblemKind.Invalid, "route"), Kind(await _domain.ChangeAsync(new InboundChange { Tenant = Mine, Route = "" }, default)));
        // What is not touched is not judged again.
        Done(await _domain.ChangeAsync(new InboundChange { Tenant = Mine, CatchAll = true }, default));
        _refusal = null;
        Assert.Equal("", Done(await _domain.ChangeAsync(new InboundChange { Tenant = Mine, Route = "" }, default)).Route);
        Assert.Null(await _domain.SiteAsync(default));
        Assert.Equal(["changeInbound", "changeInbound", "changeInbound", "changeInbound"], _owners[Mine].Noted);
    }

    [Fact]
    public async Task Recipients_AreAddedAndRemoved_WithinTheirBound()
    {
        Done(await _domain.AddAsync(new InboundDraft { Tenant = Mine, Recipients = [] }, default));
        Assert.Equal(InboundStanding.Unknown, (await _domain.JudgeAsync("anna", default)).Standing);
        Assert.Equal((ProblemKind.Invalid, "recipients[1]"), Kind(await _domain.AddRecipientsAsync(Mine, ["anna", "bob@elsewhere.example"], default)));
        foreach (var wrong in new[] { "", "a b", "a@", "@example.org", "a\r\nb", new string('x', 300), null! })
            Assert.Equal((ProblemKind.Invalid, "recipients[0]"), Kind(await _domain.AddRecipientsAsync(Mine, [wrong], default)));
        var version = Done(await _domain.AddRecipientsAsync(Mine, ["anna"], default)).Version;
        Assert.Equal(version, Done(await _domain.AddRecipientsAsync(Mine, ["ANNA@example.org"], default)).Version);
        Assert.Equal(InboundStanding.Accepted, (await _domain.JudgeAsync("anna", default)).Standing);
        Assert.Equal(ProblemKind.NotFound, (await _domain.RemoveRecipientAsync(Mine, "bob", default)).Problem?.Kind);
        Done(await _domain.RemoveRecipientAsync(Mine, "Anna", default));
        Assert.Equal(InboundStanding.Unknown, (await _domain.JudgeAsync("anna", default)).Standing);

        var most = Enumerable.Range(0, InboundRecord.MaxRecipients).Select(i => $"user{i}").ToArray();
        Assert.Equal(most.Length, Done(await _domain.AddRecipientsAsync(Mine, most, default)).Recipients);
        Assert.Equal((ProblemKind.Full, "recipients"), Kind(await _domain.AddRecipientsAsync(Mine, ["one-more"], default)));
        Assert.Equal(InboundStanding.Accepted, (await _domain.JudgeAsync("user9999", default)).Standing);
    }

    [Theory]
    [InlineData("anna", InboundStanding.Accepted)]
    [InlineData("ANNA", InboundStanding.Accepted)]
    [InlineData("anna+shop", InboundStanding.Accepted)]
    [InlineData("bob+tag", InboundStanding.Accepted)]
    [InlineData("bob+tag+more", InboundStanding.Unknown)]
    [InlineData("bob", InboundStanding.Unknown)]
    [InlineData("+anna", InboundStanding.Unknown)]
    [InlineData("annabel", InboundStanding.Unknown)]
    [InlineData("PostMaster", InboundStanding.Accepted)]
    [InlineData("anna%elsewhere.example", InboundStanding.Nobodys)]
    [InlineData("elsewhere.example!anna", InboundStanding.Nobodys)]
    [InlineData("anna@elsewhere.example", InboundStanding.Nobodys)]
    [InlineData("50%off", InboundStanding.Accepted)]
    public async Task Judge_AList_NamesWhoIsThere(string mailbox, InboundStanding expected)
    {
        Done(await _domain.AddAsync(new InboundDraft { Tenant = Mine, Recipients = ["anna", "bob+tag", "50%off"] }, default));
        Assert.Equal(expected, (await _domain.JudgeAsync(mailbox, default)).Standing);
        Done(await _domain.ChangeAsync(new InboundChange { Tenant = Mine, CatchAll = true }, default));
        Assert.Equal(expected == InboundStanding.Nobodys ? expected : InboundStanding.Accepted, (await _domain.JudgeAsync(mailbox, default)).Standing);
    }

    [Fact]
    public async Task Write_AnotherActivationWasFirst_IsNotDone()
    {
        var other = Open();
        Done(await _domain.AddAsync(new InboundDraft { Tenant = Mine }, default));
        Done(await other.ReadAsync(Mine, default));
        Done(await _domain.ChangeAsync(new InboundChange { Tenant = Mine, Route = "one.example.org" }, default));
        await Assert.ThrowsAsync<IOException>(() => other.ChangeAsync(new InboundChange { Tenant = Mine, CatchAll = false }, default));
        // It reads what is there now, and then both count.
        Done(await other.ChangeAsync(new InboundChange { Tenant = Mine, CatchAll = false }, default));
        var both = Done(await Open().ReadAsync(Mine, default));
        Assert.Equal(("one.example.org:25", false), (both.Route, both.CatchAll));
        // And one that others know nothing of does not go on for ever.
        _time.Advance(TimeSpan.FromSeconds(31));
        Assert.Equal(InboundStanding.Unknown, (await _domain.JudgeAsync("anna", default)).Standing);
    }

    [Fact]
    public async Task Enter_TheTenantsListIsFull_ClaimsNothing()
    {
        _owners[Mine].Full = new Problem(ProblemKind.Full, "domain", "x");
        Assert.Equal(ProblemKind.Full, (await _domain.AddAsync(new InboundDraft { Tenant = Mine }, default)).Problem?.Kind);
        Assert.True(_domain.IsNobodys);
    }

    /// <summary>The documents as stored: what is there is read as it was written, by this version and later ones.</summary>
    [Fact]
    public void Documents_AsPublished_AreReadAndWritten()
    {
        var record = new InboundRecord
        {
            Domain = "example.org", Tenant = Mine, Created = _time.GetUtcNow(), Changes = 3, Route = "10.0.0.1:25", IsPrivate = true, IsVouched = true, CatchAll = true, Recipients = ["a", "b"],
        };
        const string Whole = """{"version":1,"domain":"example.org","tenant":"t22222222222222a","created":"2026-11-28T12:00:00+00:00","changes":3,"route":"10.0.0.1:25","isPrivate":true,"isVouched":true,"catchAll":true,"recipients":["a","b"]}""";
        Assert.Equal(Whole, Encoding.UTF8.GetString(record.ToJson()));
        Assert.Equal(Whole, Encoding.UTF8.GetString(InboundRecord.Parse(Encoding.UTF8.GetBytes(Whole), "example.org").ToJson()));
        const string Least = """{"version":1,"domain":"example.org","tenant":"","created":"2026-11-28T12:00:00+00:00","changes":1,"route":"","recipients":[]}""";
        Assert.Equal(Least, Encoding.UTF8.GetString(InboundRecord.Parse(Encoding.UTF8.GetBytes(Least), "example.org").ToJson()));
        foreach (var (wrong, domain) in new[] { (Whole, "example.net"), (Whole.Replace("\"version\":1", "\"version\":2", StringComparison.Ordinal), "example.org"), (Whole.Replace("catchAll", "catchSome", StringComparison.Ordinal), "example.org"), ("{", "example.org") })
            Assert.Throws<InvalidDataException>(() => InboundRecord.Parse(Encoding.UTF8.GetBytes(wrong), domain));
        Assert.Equal("inbound/bfabc37432958b063360d3ad6461c9c4", InboundNames.DocumentOf("example.org"));
    }

    [Fact]
    public async Task Names_AreHeardOfByOtherSilos()
    {
        var other = new InboundNames(_documents, _time);
        // Nothing is known before the first look.
        Assert.True(other.MayHave("example.org"));
        Assert.False(other.IsEmpty);
        await other.LookAsync(default);
        Assert.False(other.MayHave("example.org"));
        Assert.True(other.IsEmpty);
        await LookAsync();
        Done(await _domain.AddAsync(new InboundDraft { Tenant = Mine }, default));
        Assert.True(_names.MayHave("example.org"));
        Assert.False(other.MayHave("example.org"));
        await other.LookAsync(default);
        Assert.True(other.MayHave("example.org"));
        Assert.False(other.MayHave("example.net"));
        Assert.False(other.MayHave("[192.0.2.1]"));

        // A look that finds nothing new reads one document.
        _documents.Reads.Clear();
        await other.LookAsync(default);
        Assert.Equal(["inbound/changes"], _documents.Reads);
        // Whoever could not look for a minute knows nothing.
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.True(other.MayHave("example.net"));
    }

    private InboundDomain Open() => new("example.org", new InboundSeams(_documents, _names, this, tenant => _owners[tenant], _time));

    private Task LookAsync() => _names.LookAsync(default);

    private static (ProblemKind?, string?) Kind(InboundResult result) => (result.Problem?.Kind, result.Problem?.Field);

    private static InboundView Done(InboundResult result)
    {
        Assert.Null(result.Problem);
        return result.Domain!;
    }

    private sealed class FakeOwner : IInboundOwner
    {
        public OwnerStanding Standing { get; set; }

        public Problem? Full { get; set; }

        public List<string> Entered { get; } = [];

        public List<string> Noted { get; } = [];

        Task<OwnerStanding> IInboundOwner.Standing(string domain) => Task.FromResult(Standing);

        public Task<Problem?> EnterInbound(string domain)
        {
            if (Full is null) Entered.Add(domain);
            return Task.FromResult(Full);
        }

        public Task StrikeInbound(string domain)
        {
            Entered.Remove(domain);
            return Task.CompletedTask;
        }

        public Task NoteInbound(string domain, string action)
        {
            Noted.Add(action);
            return Task.CompletedTask;
        }
    }
}
