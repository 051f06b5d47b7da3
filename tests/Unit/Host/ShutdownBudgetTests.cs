using Angarium.Egress;
using Angarium.Host.Configuration;
using Angarium.Ingress;

namespace Angarium.Unit.Host;

public sealed class ShutdownBudgetTests
{
    [Theory]
    [InlineData(30, 30, 70, true)]
    [InlineData(30, 30, 69, false)]
    [InlineData(0, 0, 10, true)]
    public void Validate_ATimeoutThatLeavesTheWaitsNoRoom_IsRefused(int ingress, int egress, int shutdown, bool isRight)
    {
        var mistakes = ShutdownBudget.Validate(Records(
            new IngressOptions { Drain = TimeSpan.FromSeconds(ingress) }, new EgressOptions { DrainTimeout = TimeSpan.FromSeconds(egress) }, new RelayOptions { ShutdownTimeout = TimeSpan.FromSeconds(shutdown) }));
        if (isRight) Assert.Empty(mistakes);
        else Assert.Contains("at least 70s", Assert.Single(mistakes), StringComparison.Ordinal);
    }

    [Fact]
    public void Validate_Defaults_AreRight() => Assert.Empty(ShutdownBudget.Validate(Records(new IngressOptions(), new EgressOptions(), new RelayOptions())));

    private static Dictionary<Type, object> Records(params object[] records) => records.ToDictionary(record => record.GetType());
}
