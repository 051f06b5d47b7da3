using System.Security.Cryptography;
using System.Text;
using Angarium.Mail.Dkim;
using MimeKit;
using MimeKit.Cryptography;
using Org.BouncyCastle.Crypto;
using Org.BouncyCastle.Crypto.Generators;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Crypto.Signers;
using Org.BouncyCastle.Security;

namespace Angarium.Unit.Mail.Dkim;

/// <summary>What is signed: by the examples of the RFCs, and by a verifier that is not ours.</summary>
public sealed class DkimTests : IDisposable
{
    private readonly RSA _rsa = RSA.Create(2048);
    private readonly AsymmetricCipherKeyPair _ed25519;

    public DkimTests()
    {
        var generator = new Ed25519KeyPairGenerator();
        generator.Init(new Ed25519KeyGenerationParameters(new SecureRandom()));
        _ed25519 = generator.GenerateKeyPair();
    }

    public void Dispose() => _rsa.Dispose();

    /// <summary>RFC 8463 appendix A.</summary>
    private const string Joe = "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";

    [Theory]
    [InlineData(Joe, "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=")]
    [InlineData("", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")]
    public void BodyHash_OfTheRfcsExamples(string body, string hash)
    {
        for (var part = 1; part < 8; part++) Assert.Equal(hash, Convert.ToBase64String(Hash(body, part)));
    }

    /// <summary>RFC 6376 §3.4.4 and the example of §3.4.5.</summary>
    [Theory]
    [InlineData(" C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n")]
    [InlineData("a", "a\r\n")]
    [InlineData("a ", "a\r\n")]
    [InlineData("a\r\n \t\r\n", "a\r\n")]
    [InlineData("a\r\n \t\r\nb", "a\r\n\r\nb\r\n")]
    [InlineData("\r\n\r\n", "")]
    [InlineData(" \t", "")]
    [InlineData(" \r\n\t\r\n", "")]
    [InlineData("\r\na", "\r\na\r\n")]
    [InlineData("\t\ta\t \tb  \r\n", " a b\r\n")]
    public void BodyHash_IsThatOfTheRelaxedForm(string body, string relaxed)
    {
        for (var part = 1; part < 5; part++) Assert.Equal(SHA256.HashData(Encoding.ASCII.GetBytes(relaxed)), Hash(body, part));
    }

    [Fact]
    public void BodyHash_OfMuch_DoesNotDependOnTheParts()
    {
        var random = new Random(1);
        var body = string.Concat(Enumerable.Range(0, 20_000).Select(_ => random.Next(5) switch { 0 => "\r\n", 1 => " ", 2 => "\t", 3 => new string('x', random.Next(3_000)), _ => "y" }));
        var whole = Hash(body, body.Length);
        foreach (var part in (int[])[1_000, 1_024, 4_096]) Assert.Equal(whole, Hash(body, part));
    }

    [Theory]
    [InlineData(" X\r\n", "X")]
    [InlineData(" Y\t\r\n\tZ  \r\n", "Y Z")]
    [InlineData("\r\n  a\r\n b\r\n", "a b")]
    [InlineData("\r\n", "")]
    public void Header_RelaxedForm(string body, string relaxed)
    {
        var fields = new HeaderFields(Encoding.ASCII.GetBytes("From:" + body + "\r\n"));
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        RelaxedHeader.Write("from"u8, fields.Body(0), output);
        Assert.Equal("from:" + relaxed, Encoding.ASCII.GetString(output.WrittenSpan));
    }

    [Theory]
    [InlineData("A: 1\r\nB : 2\r\n folded\r\n\r\nbody", new[] { "A", "B" }, "body")]
    [InlineData("A: 1\r\n", new[] { "A" }, "")]
    [InlineData("", new string[0], "")]
    [InlineData("\r\nbody: no\r\n", new string[0], "body: no\r\n")]
    [InlineData("A: 1\r\nno field\r\nB: 2\r\n\r\n", new[] { "A" }, "no field\r\nB: 2\r\n\r\n")]
    [InlineData(": x\r\n\r\n", new string[0], ": x\r\n\r\n")]
    [InlineData("A B: x\r\n\r\n", new string[0], "A B: x\r\n\r\n")]
    [InlineData(" folded: first\r\n\r\n", new string[0], " folded: first\r\n\r\n")]
    public void Fields_AreWhatTheSectionHolds(string content, string[] names, string body)
    {
        var octets = Encoding.ASCII.GetBytes(content);
        var fields = new HeaderFields(octets);
        Assert.Equal(names, Enumerable.Range(0, fields.Count).Select(i => Encoding.ASCII.GetString(fields.Name(i))));
        Assert.Equal(body, Encoding.ASCII.GetString(octets.AsSpan(fields.BodyStart)));
    }

    /// <summary>Messages as people and programs send them, and odd ones.</summary>
    public static TheoryData<string> Corpus =>
    [
        "From: Joe <joe@example.org>\r\nTo: a@example.net\r\nSubject: x\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700\r\nMessage-ID: <1@example.org>\r\n\r\n" + Joe,
        "From: a@example.org\r\n\r\n",
        "From: a@example.org\r\nSubject: no body\r\n\r\n",
        "From: a@example.org\r\nSubject:\r\n  folded \t twice\r\n\tover lines  \r\nTo: b@example.net,\r\n  c@example.net\r\n\r\ntrailing\r\n\r\n \r\n\r\n",
        "from: a@example.org\r\nTO: b@example.net\r\nTo: c@example.net\r\nCC: d@example.net\r\nX-Other: \t\r\n\r\n  leading\tand   inner  \r\n.dot\r\n",
        "From: Ä <a@example.org>\r\nSubject: Grüße\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nä ö ü ß € 漢字\r\n",
        "Received: from x\r\n\tby y; Fri, 11 Jul 2003 21:00:37 -0700\r\nFrom: a@example.org\r\nReferences: " + string.Join("\r\n ", Enumerable.Range(0, 200).Select(i => $"<{i}@example.org>")) + "\r\n\r\nx",
        "From: a@example.org\r\n" + string.Concat(Enumerable.Range(0, 40).Select(i => $"List-Unsubscribe: <https://example.org/{i}>\r\n")) + "\r\nx\r\n",
        "From: a@example.org\r\n\r\n" + string.Concat(Enumerable.Range(0, 3_000).Select(i => $"line {i} with  two spaces \r\n")),
    ];

    [Theory]
    [MemberData(nameof(Corpus))]
    public void Signature_IsVerifiedByAnother_AndAChangeBreaksIt(string content)
    {
        var octets = Encoding.UTF8.GetBytes(content);
        foreach (var algorithm in Enum.GetValues<DkimAlgorithm>())
        {
            var signed = Sign(octets, algorithm);
            Assert.True(IsVerified(signed, algorithm));
            Assert.False(IsVerified(Sign([.. octets, .. "more"u8], algorithm, bodyOf: octets), algorithm));
            Assert.False(IsVerified(Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(signed).Replace("a@example.org", "b@example.org", StringComparison.Ordinal).Replace("joe@", "jim@", StringComparison.Ordinal)), algorithm));
            foreach (var line in Encoding.UTF8.GetString(signed).Split("\r\n").TakeWhile(l => !l.StartsWith("Fr", StringComparison.OrdinalIgnoreCase) && !l.StartsWith("Re", StringComparison.Ordinal))) Assert.InRange(line.Length, 1, 998);
        }
    }

    /// <summary>RFC 6376 §8.15: a second From would be shown instead of the one that was signed.</summary>
    [Theory]
    [InlineData("From: evil@example.com\r\n")]
    [InlineData("Subject: evil\r\n")]
    [InlineData("To: evil@example.com\r\n")]
    [InlineData("Date: Sat, 12 Jul 2003 21:00:37 -0700\r\n")]
    public void AFieldAddedAfterwards_BreaksTheSignature(string added)
    {
        var octets = Encoding.ASCII.GetBytes("From: a@example.org\r\nTo: b@example.net\r\nSubject: x\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700\r\n\r\nx\r\n");
        var signed = Sign(octets, DkimAlgorithm.RsaSha256);
        Assert.True(IsVerified(signed, DkimAlgorithm.RsaSha256));
        Assert.False(IsVerified([.. Encoding.ASCII.GetBytes(added), .. signed], DkimAlgorithm.RsaSha256));
    }

    private byte[] Sign(byte[] content, DkimAlgorithm algorithm, byte[]? bodyOf = null)
    {
        var fields = new HeaderFields(content);
        var of = bodyOf ?? content;
        using var body = new DkimBodyHash();
        body.Append(of.AsSpan(new HeaderFields(of).BodyStart));
        Span<byte> hash = stackalloc byte[32];
        body.Finish(hash);
        var signature = DkimSignature.Prepare(fields, hash, new Angarium.Mail.Dkim.DkimSigner("example.org", "s1", algorithm), DateTimeOffset.UtcNow);
        byte[] value;
        if (algorithm == DkimAlgorithm.RsaSha256)
        {
            value = _rsa.SignHash(signature.Digest.Span, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        }
        else
        {
            var signer = new Ed25519Signer();
            signer.Init(true, _ed25519.Private);
            signer.BlockUpdate(signature.Digest.ToArray(), 0, 32);
            value = signer.GenerateSignature();
        }

        return [.. Encoding.ASCII.GetBytes(signature.Complete(value)), .. content];
    }

    private bool IsVerified(byte[] content, DkimAlgorithm algorithm)
    {
        using var message = MimeMessage.Load(new MemoryStream(content));
        var field = message.Headers.First(h => h.Id == HeaderId.DkimSignature);
        AsymmetricKeyParameter key = algorithm == DkimAlgorithm.RsaSha256 ? DotNetUtilities.GetRsaPublicKey(_rsa.ExportParameters(false)) : _ed25519.Public;
        return new DkimVerifier(new OneKey(key)).Verify(message, field, TestContext.Current.CancellationToken);
    }

    private static byte[] Hash(string body, int part)
    {
        var octets = Encoding.ASCII.GetBytes(body);
        using var hash = new DkimBodyHash();
        foreach (var chunk in octets.Chunk(Math.Max(1, part))) hash.Append(chunk);
        var result = new byte[32];
        hash.Finish(result);
        return result;
    }

    private sealed class OneKey(AsymmetricKeyParameter key) : IDkimPublicKeyLocator
    {
        public AsymmetricKeyParameter LocatePublicKey(string methods, string domain, string selector, CancellationToken cancellationToken = default) => key;

        public Task<AsymmetricKeyParameter> LocatePublicKeyAsync(string methods, string domain, string selector, CancellationToken cancellationToken = default) => Task.FromResult(key);
    }
}
