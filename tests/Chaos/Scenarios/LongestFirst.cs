using Angarium.Chaos.Chart;
using Angarium.Chaos.Scenarios;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(LongestFirst))]

namespace Angarium.Chaos.Scenarios;

/// <summary>The classes that take minutes begin first, so that none of them is left to run by itself at the end. No state.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    private static readonly Type[] s_long =
    [
        typeof(When_the_backlog_is_large), typeof(When_Redis_fails), typeof(When_processes_are_replaced), typeof(When_the_chart_is_installed_for_production), typeof(When_operators_order),
        typeof(When_tenants_send), typeof(When_everything_breaks), typeof(When_somebody_monitors),
    ];

    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection => [.. testCollections.OrderBy(Place)];

    private static int Place<TTestCollection>(TTestCollection collection)
        where TTestCollection : ITestCollection
    {
        var place = Array.FindIndex(s_long, type => collection.TestCollectionDisplayName.Contains($"{type.FullName} (", StringComparison.Ordinal));
        return place < 0 ? s_long.Length : place;
    }
}
