using Angarium.Spool;
using Angarium.Spool.Azure;
using Angarium.Spool.Files;

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
}
