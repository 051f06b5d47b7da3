using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Angarium.Contracts.Configuration;
using Angarium.Ingress;
using Angarium.Ingress.Policy;
using Angarium.Ingress.Tls;
using Angarium.Mail.Addresses;
using Angarium.TestKit.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Ingress;

/// <summary>What is taken over while the process runs: a good file at once, a bad one never, and it is said once.</summary>
public sealed class ReloadTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("angarium-reload-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void RecipientList_Changed_IsTakenOver()
    {
        var file = Write("list", "anna\n", 1);
        var log = new LogLines<RelayPolicy>();
        using var policy = new RelayPolicy(new FixedSettings<IngressOptions>(Options(file)), log);
        Assert.Equal((true, false), (Takes(policy, "anna"), Takes(policy, "bert")));
        Write("list", "bert\n", 2);
        policy.Refresh();
        Assert.Equal((false, true), (Takes(policy, "anna"), Takes(policy, "bert")));
        policy.Refresh();
        Assert.Equal(2, log.All.Length);
    }

    [Theory]
    [InlineData("anna@elsewhere.example\n")]
    [InlineData("two words\n")]
    [InlineData(null)]
    public void RecipientList_Bad_LeavesTheOldAndSaysSoOnce(string? content)
    {
        var file = Write("list", "anna\n", 1);
        var log = new LogLines<RelayPolicy>();
        using var policy = new RelayPolicy(new FixedSettings<IngressOptions>(Options(file)), log);
        if (content is null) File.Delete(file);
        else Write("list", content, 2);
        policy.Refresh();
        policy.Refresh();
        Assert.True(Takes(policy, "anna"));
        Assert.StartsWith("Error: Recipients of example.org cannot be read again, the old list stays", Assert.Single(log.All[1..]), StringComparison.Ordinal);
        Write("list", "bert\n", 3);
        policy.Refresh();
        Assert.Equal((false, true), (Takes(policy, "anna"), Takes(policy, "bert")));
    }

    [Fact]
    public void Networks_Changed_CountForTheNextConnection()
    {
        var settings = new ChangingSettings(new IngressOptions { TrustedNetworks = ["10.0.0.0/8"] });
        using var policy = new RelayPolicy(settings, new LogLines<RelayPolicy>());
        settings.Change(new IngressOptions { TrustedNetworks = ["192.0.2.0/24=acme"] });
        Assert.Equal((false, true), (policy.Classify(IPAddress.Parse("10.1.1.1")).IsTrusted, policy.Classify(IPAddress.Parse("192.0.2.7")).IsTrusted));
    }

    [Fact]
    public void Domain_WhoseListHasGone_LeavesAllRulesAsTheyWere()
    {
        var file = Write("list", "anna\n", 1);
        var log = new LogLines<RelayPolicy>();
        var settings = new ChangingSettings(Options(file));
        using var policy = new RelayPolicy(settings, log);
        settings.Change(new IngressOptions { Domains = new Dictionary<string, string> { ["example.net"] = Path.Combine(_folder.FullName, "none") }, TrustedNetworks = ["10.0.0.0/8"] });
        Assert.True(Takes(policy, "anna"));
        Assert.False(policy.Classify(IPAddress.Parse("10.1.1.1")).IsTrusted);
        Assert.StartsWith("Error: Changed networks and domains cannot be taken over, the old ones stay", log.All[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Certificate_Changed_IsTakenOverAndABadOneIsNot()
    {
        var (chain, key) = WritePair("first", 1);
        var log = new LogLines<ServerCertificate>();
        var certificate = new ServerCertificate(chain, key, log);
        Assert.Equal("CN=first", Subject(certificate));
        Write("chain.pem", "no certificate\n", 2);
        certificate.Refresh();
        certificate.Refresh();
        Assert.Equal("CN=first", Subject(certificate));
        Assert.StartsWith("Error: Certificate file", Assert.Single(log.All[1..]), StringComparison.Ordinal);
        WritePair("second", 3);
        certificate.Refresh();
        Assert.Equal("CN=second", Subject(certificate));
    }

    [Fact]
    public void Certificate_Expired_IsSaidOnceAndItsTimeIsMeasured()
    {
        var (chain, key) = WritePair("first", 1);
        var log = new LogLines<ServerCertificate>();
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        var certificate = new ServerCertificate(chain, key, log, time);
        Assert.InRange(CertificateInstruments.Expires.WithLabels("smtp").Value, DateTimeOffset.UtcNow.AddDays(29).ToUnixTimeSeconds(), DateTimeOffset.UtcNow.AddDays(31).ToUnixTimeSeconds());
        time.Advance(TimeSpan.FromDays(29));
        certificate.Refresh();
        Assert.Single(log.All);
        time.Advance(TimeSpan.FromDays(2));
        certificate.Refresh();
        certificate.Refresh();
        Assert.Contains("has expired on", Assert.Single(log.All[1..]), StringComparison.Ordinal);
    }

    private static string Subject(ServerCertificate certificate) => certificate.Current!.ServerCertificateContext!.TargetCertificate.Subject;

    private static IngressOptions Options(string file) => new() { Domains = new Dictionary<string, string> { ["example.org"] = file } };

    private static bool Takes(RelayPolicy policy, string localPart)
    {
        Assert.True(MailAddress.TryParse(localPart + "@example.org", out var address));
        return policy.Judge(ClientStanding.Outsider, address).Refusal is null;
    }

    // Files of one length written within a tick of the file system's clock would look alike: each gets a time of its own.
    private string Write(string name, string content, int minute)
    {
        var file = Path.Combine(_folder.FullName, name);
        File.WriteAllText(file, content);
        File.SetLastWriteTimeUtc(file, new DateTime(2026, 1, 1, 0, minute, 0, DateTimeKind.Utc));
        return file;
    }

    private (string Chain, string Key) WritePair(string name, int minute)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = new CertificateRequest("CN=" + name, key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));
        return (Write("chain.pem", certificate.ExportCertificatePem(), minute), Write("key.pem", key.ExportPkcs8PrivateKeyPem(), minute));
    }

    private sealed class ChangingSettings(IngressOptions first) : ISettings<IngressOptions>, IDisposable
    {
        private Action<IngressOptions>? _listener;

        public IngressOptions Current { get; private set; } = first;

        public IDisposable OnChange(Action<IngressOptions> listener)
        {
            _listener = listener;
            return this;
        }

        public void Change(IngressOptions options)
        {
            Current = options;
            _listener!(options);
        }

        public void Dispose() => _listener = null;
    }
}
