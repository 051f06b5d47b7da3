using Angarium.TestKit;
using Angarium.TestKit.Documents;

namespace Angarium.Chaos.Chart;

/// <summary>Each `helm install`, `upgrade` and `template` that a page tells its reader to type, rendered by Helm with the same values, and the examples of values that pages show; every manifest read strictly. A reader's own file is the production example here.</summary>
public sealed class DocumentedInstallsTests
{
    private static readonly string[] s_taken = ["--set", "--set-string", "--set-json"];

    public static TheoryData<string, string[]> Installs()
    {
        var all = new TheoryData<string, string[]>();
        foreach (var page in Documentation.Pages)
        {
            foreach (var fence in Documentation.Fences(page).Where(fence => fence.IsShell))
                foreach (var command in ShellReader.Read(fence.Text).Where(c => c is { Program: "helm", Words: [_, "install" or "upgrade" or "template", ..] }))
                    all.Add($"{page}:{fence.Line + command.Line}", [.. command.Arguments]);
        }

        return all;
    }

    public static TheoryData<string, string> Values()
    {
        var all = new TheoryData<string, string>();
        foreach (var page in Documentation.Pages)
        {
            foreach (var fence in Documentation.Fences(page).Where(fence => fence.Language == "yaml" && !fence.Text.Contains("\nkind:", StringComparison.Ordinal))) all.Add($"{page}:{fence.Line}", fence.Text);
        }

        return all;
    }

    [Theory]
    [MemberData(nameof(Installs))]
    public async Task Install_AsItIsDocumented_Renders(string where, string[] arguments)
    {
        var (values, set) = (new List<string>(), new List<string>());
        var isOwn = arguments.Contains("--reuse-values");
        for (var i = 0; i + 1 < arguments.Length; i++)
        {
            if (s_taken.Contains(arguments[i])) set.AddRange([arguments[i], arguments[i + 1]]);
            if (arguments[i] is not ("--values" or "-f")) continue;
            var file = Repository.Path(arguments[i + 1]);
            isOwn |= !File.Exists(file);
            values.Add(File.Exists(file) ? file : HelmChart.Example("production"));
        }

        // What is done to a single pod is done to one.
        if (isOwn && set.Exists(s => s.Contains("single.", StringComparison.Ordinal))) values = [HelmChart.Example("single")];
        var manifests = new Manifests(await HelmChart.RenderAsync(values, [.. set]));
        Assert.True(manifests.Workloads.Count > 0, where);
    }

    [Theory]
    [MemberData(nameof(Values))]
    public async Task Values_AsTheyAreDocumented_Render(string where, string values)
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, values);
            var manifests = new Manifests(await HelmChart.RenderAsync([HelmChart.Example("production"), file]));
            Assert.True(manifests.Workloads.Count > 0, where);
        }
        finally
        {
            File.Delete(file);
        }
    }
}
