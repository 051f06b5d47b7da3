using System.Net;
using System.Security.Cryptography;
using System.Text;
using Angarium.Contracts.Tenants;
using Angarium.Ingress.Submission;
using Angarium.Mail.Dkim;
using Angarium.Mail.Sasl;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Ingress.Submission;

/// <summary>Logins, what a tenant lets an ingress process take, and what is done to submitted content.</summary>
public sealed class SubmissionTests : ITenantLogins
{
    private static readonly TenantFacts s_facts = new() { Id = "t23456789bcdfghj", Domains = [new SendingDomain { Name = "tenant.example", Keys = [new SigningKey("r", DkimAlgorithm.RsaSha256)] }] };

    private readonly FakeTimeProvider _time = new();
    private readonly ScramKeys _keys = ScramKeys.Of("pencil", new byte[16]);
    private readonly List<AdmitRequest> _asked = [];
    private Func<AdmitRequest, Task<AdmitAnswer>> _answer = _ => Task.FromResult(new AdmitAnswer());

    private TenantAccount Account(TenantFacts? facts = null) => new(facts ?? s_facts, "i", request =>
    {
        _asked.Add(request);
        return _answer(request);
    }, _time);

    ValueTask<LoginVerdict> ITenantLogins.PasswordAsync(string user, string password) => new(new LoginVerdict(user == "user" && password == "pencil" ? Account() : null, user == "away"));

    ValueTask<LoginSalt?> ITenantLogins.SaltAsync(string user) => new(user == "away" ? null : new LoginSalt(_keys.Salt, _keys.Iterations));

    ValueTask<(LoginVerdict Verdict, byte[] Signature)> ITenantLogins.ProofAsync(string user, string message, byte[] proof) =>
        new(_keys.Verify(message, proof) is { } signature && user == "user" ? (new LoginVerdict(Account(), false), signature) : (new LoginVerdict(null, false), []));

    ValueTask<LoginVerdict> ITenantLogins.KeyAsync(string key) => throw new NotSupportedException();

    [Theory]
    [InlineData("pencil", true)]
    [InlineData("pencils", false)]
    public async Task Scram_ByAClientOfItsOwn(string password, bool succeeds)
    {
        var dialog = new SaslDialog(this);
        var first = await dialog.BeginAsync("SCRAM-SHA-256", "n,,n=user,r=abc"u8.ToArray());
        var challenge = Encoding.ASCII.GetString(first.Challenge!);
        Assert.StartsWith("r=abc", challenge);
        var nonce = challenge.Split(',')[0];
        var final = $"c=biws,{nonce}";
        var message = $"n=user,r=abc,{challenge},{final}";
        var salted = Rfc2898DeriveBytes.Pbkdf2(Encoding.UTF8.GetBytes(password), _keys.Salt, _keys.Iterations, HashAlgorithmName.SHA256, 32);
        var clientKey = HMACSHA256.HashData(salted, "Client Key"u8);
        var proof = HMACSHA256.HashData(SHA256.HashData(clientKey), Encoding.UTF8.GetBytes(message));
        for (var i = 0; i < proof.Length; i++) proof[i] ^= clientKey[i];
        var second = await dialog.NextAsync(Encoding.ASCII.GetBytes($"{final},p={Convert.ToBase64String(proof)}"));
        if (!succeeds)
        {
            Assert.Same(SaslDialog.Wrong, second.Refusal);
            return;
        }

        var expected = HMACSHA256.HashData(HMACSHA256.HashData(salted, "Server Key"u8), Encoding.UTF8.GetBytes(message));
        Assert.Equal("v=" + Convert.ToBase64String(expected), Encoding.ASCII.GetString(second.Challenge!));
        Assert.Equal(s_facts.Id, (await dialog.NextAsync([])).Account?.Id);
    }

    [Fact]
    public async Task Scram_TenantOutOfReach_IsTemporary() => Assert.Same(SaslDialog.Unreachable, (await new SaslDialog(this).BeginAsync("SCRAM-SHA-256", "n,,n=away,r=abc"u8.ToArray())).Refusal);

    [Fact]
    public async Task Take_NoQuota_AsksNobody()
    {
        var account = Account();
        for (var i = 0; i < 1_000; i++) Assert.Null((await account.TakeAsync()).Refusal);
        Assert.Empty(_asked);
        // What was heard an hour ago may not be true any more.
        _time.Advance(TimeSpan.FromHours(1));
        Assert.Same(TenantAccount.Unknown, (await account.TakeAsync()).Refusal);
        await account.HeartbeatAsync();
        Assert.Null((await account.TakeAsync()).Refusal);
    }

    [Fact]
    public async Task Take_WhoWaitsTogether_IsAskedForTogether()
    {
        var account = Account(s_facts with { IsMetered = true });
        var answer = new TaskCompletionSource<AdmitAnswer>();
        _answer = _ => answer.Task;
        var waiting = Enumerable.Range(0, 5).Select(_ => account.TakeAsync().AsTask()).ToArray();
        Assert.Equal(1, Assert.Single(_asked).Messages);
        _answer = request => Task.FromResult(new AdmitAnswer { Messages = 2, Lasts = TimeSpan.FromSeconds(1), RetryAfter = TimeSpan.FromSeconds(3) });
        answer.SetResult(new AdmitAnswer { Messages = 1, Lasts = TimeSpan.FromSeconds(1) });
        var verdicts = await Task.WhenAll(waiting);
        Assert.Equal([1, 4], _asked.Select(a => a.Messages));
        Assert.Equal(3, verdicts.Count(v => v.Refusal is null));
        Assert.All(verdicts.Where(v => v.Refusal is not null), v => Assert.Equal((TenantAccount.OverQuota, TimeSpan.FromSeconds(3)), (v.Refusal, v.RetryAfter)));
    }

    [Fact]
    public async Task Take_ALeaseThatHasEnded_IsNotUsed()
    {
        var account = Account(s_facts with { IsMetered = true });
        _answer = _ => Task.FromResult(new AdmitAnswer { Messages = 10, Lasts = TimeSpan.FromMilliseconds(500) });
        for (var i = 0; i < 10; i++) Assert.Null((await account.TakeAsync()).Refusal);
        Assert.Single(_asked);
        Assert.Null((await account.TakeAsync()).Refusal);
        Assert.Equal(2, _asked.Count);
        _time.Advance(TimeSpan.FromMilliseconds(500));
        Assert.Null((await account.TakeAsync()).Refusal);
        Assert.Equal(3, _asked.Count);
    }

    [Fact]
    public async Task Take_PausedOrOutOfReach_IsTemporary()
    {
        Assert.Same(TenantAccount.Paused, (await Account(s_facts with { IsPaused = true }).TakeAsync()).Refusal);
        _answer = _ => throw new IOException("away");
        Assert.Same(TenantAccount.Unknown, (await Account(s_facts with { IsMetered = true }).TakeAsync()).Refusal);
    }

    [Fact]
    public async Task Enter_MoreThanTheTenantMayHave_IsRefused()
    {
        var account = Account(s_facts with { IsMetered = true });
        _answer = request => Task.FromResult(new AdmitAnswer { Connections = Math.Min(2, request.Connections) });
        Assert.True(await account.TryEnterAsync());
        Assert.True(await account.TryEnterAsync());
        Assert.False(await account.TryEnterAsync());
        account.Leave();
        Assert.True(await account.TryEnterAsync());
        Assert.True(account.IsInUse);
    }

    [Fact]
    public void Hear_AnOlderWord_ChangesNothing()
    {
        var account = Account(s_facts with { Version = 5 });
        account.Hear(s_facts with { Version = 4, IsPaused = true });
        Assert.False(account.Facts.IsPaused);
        account.Hear(s_facts with { Version = 6, IsPaused = true });
        Assert.True(account.Facts.IsPaused);
    }

    [Fact]
    public void Failures_OfANetwork_AreAnsweredLaterAndLaterAndThenNotAtAll()
    {
        var failures = new LoginFailures(_time);
        var (one, neighbour, other) = (IPAddress.Parse("192.0.2.1"), IPAddress.Parse("::ffff:192.0.2.200"), IPAddress.Parse("192.0.3.1"));
        Assert.Equal(TimeSpan.FromSeconds(1), failures.Failed(one));
        for (var i = 0; i < 10; i++) failures.Failed(neighbour);
        Assert.Equal(TimeSpan.FromSeconds(8), failures.Failed(one));
        Assert.Equal(TimeSpan.FromSeconds(1), failures.Failed(other));
        while (failures.MayTry(one)) failures.Failed(one);
        Assert.False(failures.MayTry(neighbour));
        Assert.True(failures.MayTry(other));
        _time.Advance(TimeSpan.FromSeconds(20));
        Assert.True(failures.MayTry(one));
    }

    [Theory]
    [InlineData("From: a@tenant.example\r\n\r\nbody\r\n")]
    [InlineData("Subject: x\r\nFrom: \"A, B\" <a@tenant.example>,\r\n b@TENANT.example\r\nDate: Fri, 27 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@x>\r\n\r\n \r\n  body \t x  \r\n\r\n\r\n")]
    [InlineData("From: a@tenant.example\r\n\r\n")]
    [InlineData("From: a@tenant.example\r\n")]
    public void Content_ReadInAnyPieces_IsTheSame(string content)
    {
        var whole = Read(content, content.Length);
        for (var size = 1; size < content.Length; size++) Assert.Equal(whole, Read(content, size));

        static string Read(string content, int size)
        {
            using var submitted = new SubmittedContent();
            foreach (var piece in Encoding.ASCII.GetBytes(content).Chunk(size)) submitted.Append(piece);
            var now = DateTimeOffset.UnixEpoch;
            var (refusal, domain, added) = submitted.Finish(s_facts, now);
            Assert.Null(refusal);
            Assert.Equal("tenant.example", domain!.Name);
            Assert.Equal(!content.Contains("Date:"), added.Contains("Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"));
            Assert.Equal(!content.Contains("Message-ID:"), added.Contains("Message-ID: <"));
            // A Message-ID is drawn: without it the digest would say the same each time.
            return Convert.ToHexString(Assert.Single(submitted.Prepare(domain, "", now)).Digest.Span);
        }
    }

    [Theory]
    [InlineData("Subject: x\r\n\r\n", null)]
    [InlineData("From: \r\n\r\n", null)]
    [InlineData("From: a@tenant.example\r\nFrom: b@tenant.example\r\n\r\n", null)]
    [InlineData("From: undisclosed:;\r\n\r\n", null)]
    [InlineData("From: a@tenant.example, b@other.example\r\n\r\n", "other.example")]
    [InlineData("From: list: a@tenant.example;\r\n\r\n", null)]
    [InlineData("From: CEO: ceo@victim.example, foo@;, me@tenant.example\r\n\r\n", null)]
    [InlineData("From: me@tenant.example, X: ceo@victim.example, @\r\n\r\n", null)]
    [InlineData("From: ceo@victim.example <me@tenant.example>\r\n\r\n", null)]
    [InlineData("From: <@victim.example:me@tenant.example>\r\n\r\n", null)]
    [InlineData("From: me@tenant.example ceo@victim.example\r\n\r\n", null)]
    [InlineData("From: me@tenant.example;ceo@victim.example\r\n\r\n", null)]
    [InlineData("From: a@tenant.example.other\r\n\r\n", "tenant.example.other")]
    public void Content_ByNobodyOrAnother_IsRefused(string content, string? named)
    {
        using var submitted = new SubmittedContent();
        submitted.Append(Encoding.ASCII.GetBytes(content));
        var (refusal, _, _) = submitted.Finish(s_facts, DateTimeOffset.UnixEpoch);
        Assert.Equal(550, refusal!.Code);
        Assert.Equal(named is null ? SubmittedContent.NoFrom.Text : $"{named} is not a verified domain of this tenant", refusal.Text);
    }

    /// <summary>The second From is in the body for one reader and in the header section for another.</summary>
    [Theory]
    [InlineData("From: a@tenant.example\r\nno field\r\n\r\nmore\r\n")]
    [InlineData("From: a@tenant.example\r\nno field\r\nFrom: ceo@victim.example\r\n\r\nmore\r\n")]
    public void Content_WithALineThatIsNoField_IsRefused(string content)
    {
        using var submitted = new SubmittedContent();
        submitted.Append(Encoding.ASCII.GetBytes(content));
        Assert.Equal(SubmittedContent.NoField, submitted.Finish(s_facts, DateTimeOffset.UnixEpoch).Refusal);
    }
}
