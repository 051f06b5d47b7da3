using System.Globalization;
using Angarium.Spool;
using Angarium.Spool.Azure;
using Angarium.Spool.Files;
using Azure.Identity;

namespace Angarium.Unit.Spool;

/// <summary>Where containers are and by what credential, before anything is asked of them.</summary>
public sealed class AzureContainersTests
{
    [Theory]
    [InlineData("https://account.blob.core.windows.net")]
    [InlineData("https://account.blob.core.windows.net/")]
    public void Containers_OfAnAddressWithoutAKey_AreTheAccounts(string account)
    {
        using var containers = new AzureContainers(new AzureStoreOptions { Account = account, Prefix = "mail" });
        Assert.All(AzureStoreOptions.Names, name =>
        {
            Assert.Equal(new Uri($"https://account.blob.core.windows.net/mail-{name}"), containers[name]!.Reads.Uri);
            // What an identity may do is not written in it: a refusal is never taken for a blob that is there.
            Assert.Equal(("Spool:Azure", false, false), (containers[name]!.Setting, containers[name]!.MayOnlyCreate, containers[name]!.IsOwn));
        });
    }

    [Fact]
    public void Containers_OfAnAddressOfTheirOwn_GoBeforeTheIdentitys()
    {
        using var containers = new AzureContainers(new AzureStoreOptions
        {
            Account = "https://account.blob.core.windows.net", Containers = new Dictionary<string, string> { ["spool"] = "https://other.blob.core.windows.net/mine?sp=c&sig=x" },
        });
        Assert.Equal(new Uri("https://other.blob.core.windows.net/mine"), containers["spool"]!.Writes.Uri);
        Assert.True(containers["spool"]!.MayOnlyCreate);
        Assert.Equal("https://account.blob.core.windows.net/angarium-cluster", containers["cluster"]!.Writes.Uri.AbsoluteUri);
    }

    [Theory]
    [InlineData("http://account.blob.core.windows.net", "Spool:Azure: workload identity needs an https address.")]
    [InlineData("account.blob.core.windows.net", "Spool:Azure: is neither a connection string nor an address.")]
    public void Containers_OfAnAddressThatNoTokenMayBeSentTo_AreRefusedInOneLine(string account, string line) =>
        Assert.Equal(line, Assert.Throws<StoreUnavailableException>(() => new AzureContainers(new AzureStoreOptions { Account = account })).Message);

    [Theory]
    [InlineData("sp=c&se=2027-01-31T12%3A00%3A00Z&sig=x", "2027-01-31T12:00:00Z")]
    [InlineData("sp=c&se=2027-01-31&sig=x", "2027-01-31T00:00:00Z")]
    [InlineData("si=policy&sig=x", null)]
    [InlineData("sp=c&se=soon&sig=x", null)]
    public void Containers_OfAddressesOfTheirOwn_KnowWhenTheirKeysEnd(string query, string? end)
    {
        using var containers = new AzureContainers(new AzureStoreOptions { Containers = new Dictionary<string, string> { ["spool"] = "https://account.blob.core.windows.net/mine?" + query } });
        Assert.Equal(end is null ? null : DateTimeOffset.Parse(end, CultureInfo.InvariantCulture), containers["spool"]!.Ends);
    }

    [Fact]
    public void Failures_OfATokensProvider_SayWhatBeganThem()
    {
        var failure = new AuthenticationFailedException("ClientAssertionCredential authentication failed: Retry failed after 4 tries. Retry settings can be adjusted in ClientOptions.Retry.",
            new AggregateException(new IOException("the first"), new IOException("The SSL connection could not be established", new IOException("The remote certificate is invalid\nand more"))));
        Assert.Equal("no token for the store could be had: The remote certificate is invalid", AzureErrors.Describe(failure));
        Assert.Equal("no token for the store could be had: nothing here has an identity", AzureErrors.Describe(new CredentialUnavailableException("nothing here has an identity")));
    }
}
