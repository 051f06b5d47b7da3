using Angarium.Integration.Harness;
using Angarium.TestKit;

namespace Angarium.Chaos.Processes;

/// <summary>What the harness changes of the emulator of blob storage.</summary>
public sealed class AzuriteTests
{
    [Fact]
    public async Task Read_OfManyAppends_OpensAFileOnceForWhatFollows()
    {
        var (code, output) = await Child.RunAsync("node", [Repository.Path("tests", "tools", "azurite-lazy.test.cjs")], TimeSpan.FromSeconds(60));
        Assert.True(code == 0, output);
    }
}
