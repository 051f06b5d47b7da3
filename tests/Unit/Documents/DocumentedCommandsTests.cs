using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Angarium.Host.Configuration;
using Angarium.TestKit;
using Angarium.TestKit.Documents;
using YamlDotNet.Serialization;

namespace Angarium.Unit.Documents;

/// <summary>
/// What the pages tell their readers to type: each command of every page is one that its program takes, with names, options, files and settings that there are. (Some pages are run as well: the quickstart, what webhooks tell receivers,
/// a restored copy. The installs of Helm's are rendered with the chart's tests.)
/// </summary>
public sealed partial class DocumentedCommandsTests
{
    private static readonly Lazy<HashSet<string>> s_routes = new(() => JsonDocument.Parse(File.ReadAllText(Repository.Path("docs", "openapi.json"))).RootElement.GetProperty("paths").EnumerateObject()
        .SelectMany(path => path.Value.EnumerateObject().Select(verb => $"{verb.Name.ToUpperInvariant()} {Placeholder().Replace(path.Name, "{}")}")).ToHashSet());

    public static TheoryData<string> Pages => [.. Documentation.Pages];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Page_CommandsInBlocks_AreTaken(string page)
    {
        foreach (var fence in Documentation.Fences(page).Where(fence => fence.IsShell))
        {
            foreach (var command in ShellReader.Read(fence.Text))
            {
                var mistake = DocumentedLine.Mistake(command.Words) ?? Route(command);
                Assert.True(mistake is null, $"{page}:{fence.Line + command.Line}: {command}: {mistake}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Page_CommandsThatAreMentioned_AreTaken(string page)
    {
        foreach (var (line, text) in Documentation.Spans(page))
        {
            var mistake = DocumentedLine.Mention(text);
            Assert.True(mistake is null, $"{page}:{line}: {mistake}");
            if (Call().Match(text) is { Success: true } call) Assert.True(s_routes.Value.Contains(Plain(call.Groups[1].Value, call.Groups[2].Value)), $"{page}:{line}: the API has no {text}");
        }
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Page_SettingsAndValuesInBlocks_Exist(string page)
    {
        foreach (var fence in Documentation.Fences(page))
        {
            var at = $"{page}:{fence.Line}";
            if (fence.Language == "json")
                foreach (var setting in JsonDocument.Parse(fence.Text).RootElement.EnumerateObject()) Assert.True(SettingCatalog.All.Find(setting.Name) is not null, $"{at}: there is no setting {setting.Name}");
            if (fence.Language != "yaml") continue;
            var file = new DeserializerBuilder().Build().Deserialize<Dictionary<object, object>>(fence.Text);
            // What is no values file is Kubernetes' own.
            if (file.ContainsKey("kind")) continue;
            Assert.True(Paths(file).Select(ChartSchema.Mistake).FirstOrDefault(m => m is not null) is var mistake && mistake is null, $"{at}: {mistake}");
        }
    }

    /// <summary>The chart asks for the tag of its `appVersion`; an image without one would be `latest`.</summary>
    [Fact]
    public void Images_ThatPagesBuild_HaveTheTagThatTheChartAsksFor()
    {
        var chart = new DeserializerBuilder().Build().Deserialize<Dictionary<string, object>>(Documentation.Read("helm/angarium/Chart.yaml"));
        var builds = Documentation.Pages.Append("infra/image/Dockerfile").SelectMany(page => Build().Matches(Documentation.Read(page)).Select(build => (page, Image: build.Groups["image"].Value))).ToList();
        Assert.True(builds.Count > 2);
        Assert.All(builds, build => Assert.EndsWith($"angarium:{chart["appVersion"]}", build.Image, StringComparison.Ordinal));
    }

    [Fact]
    public void Index_OfAllPages_LeadsToEach()
    {
        var (index, runbook) = (Documentation.Read("docs/README.md"), Documentation.Read("docs/operating/runbook.md"));
        foreach (var page in Documentation.Pages.Where(page => page.StartsWith("docs/", StringComparison.Ordinal) && page != "docs/README.md"))
        {
            var isRunbook = page.StartsWith("docs/operating/runbooks/", StringComparison.Ordinal);
            Assert.Contains($"]({page[(isRunbook ? "docs/operating/" : "docs/").Length..]})", isRunbook ? runbook : index, StringComparison.Ordinal);
        }

        Assert.Contains("](docs/README.md)", Documentation.Read("README.md"), StringComparison.Ordinal);
    }

    [Fact]
    public void Pictures_OfAllPages_AreDrawingsThatAPageShows()
    {
        var pages = string.Concat(Documentation.Pages.Select(Documentation.Read));
        foreach (var picture in Directory.GetFiles(Repository.Path("docs", "pictures"), "*.svg"))
        {
            Assert.Contains($"](pictures/{Path.GetFileName(picture)})", pages, StringComparison.Ordinal);
            var drawing = XDocument.Load(picture).Root!;
            Assert.Equal("svg", drawing.Name.LocalName);
            Assert.NotEmpty(drawing.Elements().Where(e => e.Name.LocalName == "title").Select(e => e.Value));
        }
    }

    [Theory]
    [InlineData("angarium queue lst")]
    [InlineData("angarium queue retry example.net --everywhere")]
    [InlineData("angarium queue show")]
    [InlineData("angarium suspend domain example.net")]
    [InlineData("angarium suspend site example.net --for soon")]
    [InlineData("angarium queue shape --by age")]
    [InlineData("angarium storage keys --role grains")]
    [InlineData("angarium tenant set t1 --quota perMinute=1")]
    [InlineData("angarium serve --set Ingress:MaxSise=1")]
    [InlineData("angarium sendmail --relay 127.0.0.1:25 -t")]
    [InlineData("sendmail")]
    [InlineData("helm instal angarium helm/angarium")]
    [InlineData("helm install angarium helm/angarum")]
    [InlineData("helm install angarium helm/angarium --values helm/angarium/examples/none.yaml")]
    [InlineData("helm upgrade angarium helm/angarium --set ingress.replica=3")]
    [InlineData("helm upgrade angarium helm/angarium --set hostname=a.example,ingress.autoscaling.most=3")]
    [InlineData("helm upgrade angarium helm/angarium --set settings.Retry:Expires=5d")]
    [InlineData("helm upgrade angarium helm/angarium --set-json 'single.settings={}' --forced")]
    [InlineData("helm rollback")]
    [InlineData("kubectl exec deployment/angarium-apis -- /app/angarium queue list")]
    [InlineData("kubectl exec deployment/angarium-api -- angarium queue list")]
    [InlineData("kubectl exec deployment/angarium-api -- /app/angarium queue lists")]
    [InlineData("kubectl rollout status deployments/angarium")]
    [InlineData("kubectl scale deployment angarium-grains")]
    [InlineData("kubectl create secret generic angarium-roles --from-literal=ingress=1")]
    [InlineData("kubectl create secret generic angarium-rolls --from-literal=ingress=1")]
    [InlineData("kubectl set image deployment/angarium-grains relay=angarium:1")]
    [InlineData("kubectl get podz")]
    [InlineData("dotnet run --project src/Hosts")]
    [InlineData("dotnet run --project src/Host -- serv")]
    [InlineData("docker compose exec api /app/angarium queues")]
    [InlineData("docker build -f infra/image/Containerfile .")]
    [InlineData("az deployment group create -f infra/azure/none.bicep")]
    [InlineData("tests/walk")]
    [InlineData("frobnicate")]
    public void Line_ThatIsWrong_IsFound(string line) => Assert.NotNull(DocumentedLine.Mistake(Assert.Single(ShellReader.Read(line)).Words));

    [Theory]
    [InlineData("angarium queue rety DOMAIN")]
    [InlineData("angarium queue show DOMAIN|ID --al")]
    [InlineData("angarium tenant|domains")]
    [InlineData("kubectl describe pot NAME")]
    public void Mention_ThatIsWrong_IsFound(string text) => Assert.NotNull(DocumentedLine.Mention(text));

    [Theory]
    [InlineData("angarium queue show DOMAIN|ID")]
    [InlineData("angarium queue …")]
    [InlineData("angarium queue retry")]
    [InlineData("angarium suspend site|tenant|source NAME [--for 2h] [--reason TEXT]")]
    [InlineData("angarium trace ID…")]
    public void Mention_ThatIsRight_Passes(string text) => Assert.Null(DocumentedLine.Mention(text));

    [Fact]
    public void Script_OfAllThatPagesUse_IsTakenApart()
    {
        const string Script = """
            # A comment.
            A=1 B=$(jq -r '.a | .b' x.json) angarium queue list --json   # another
            printf 'one\n
            two' | tee "a b.txt" > out.txt 2>&1 &
            cat > file.json <<'EOF'
            angarium nonsense
            EOF
            for role in a b; do
              angarium storage keys --role $role \
                --days 3 | sed 's/a/b/' > keys-$role && rm keys-$role
            done
            digest=$( (printf '%s.' "$T"; cat body) | openssl dgst -r)
            case ",$S," in *",v1=$d,"*) echo genuine ;; *) echo forged ;; esac
            sudo -u angarium mailq < in.txt
            """;
        Assert.Equal(
            [
                "jq -r .a | .b x.json", "angarium queue list --json", "printf one\\n\ntwo", "tee a b.txt", "cat", "angarium storage keys --role $role --days 3", "sed s/a/b/", "rm keys-$role", "printf %s. $T", "cat body", "openssl dgst -r",
                "echo genuine", "echo forged", "mailq",
            ], ShellReader.Read(Script).Select(command => command.ToString()));
        foreach (var open in new[] { "echo 'a", "echo \"a", "echo $(a", "cat <<EOF\na\n" }) Assert.Throws<FormatException>(() => ShellReader.Read(open));
    }

    /// <summary>A call of the API by curl.</summary>
    private static string? Route(ShellCommand command)
    {
        if (command.Program != "curl" || command.Words.FirstOrDefault(word => word.Contains("/v1/", StringComparison.Ordinal)) is not { } url) return null;
        var words = command.Words.ToList();
        var verb = words.IndexOf("-X") is >= 0 and var at ? words[at + 1] : words.Contains("-d") ? "POST" : "GET";
        var route = Plain(verb, url[url.IndexOf("/v1/", StringComparison.Ordinal)..]);
        return s_routes.Value.Contains(route) ? null : $"the API has no {route}";
    }

    private static string Plain(string verb, string path) => $"{verb} {Placeholder().Replace(Known().Replace(path.Split('?')[0], "/{}"), "{}")}";

    private static IEnumerable<IReadOnlyList<string>> Paths(Dictionary<object, object> map) => map.SelectMany(pair => pair.Value is Dictionary<object, object> { Count: > 0 } inner
        ? Paths(inner).Select(IReadOnlyList<string> (rest) => [(string)pair.Key, .. rest]) : [[(string)pair.Key]]);

    [GeneratedRegex(@"\{[^}]*\}|\$[A-Z]+")]
    private static partial Regex Placeholder();

    /// <summary>What our examples put in place of a name.</summary>
    [GeneratedRegex(@"/[a-z]+\.(?:test|example)\b")]
    private static partial Regex Known();

    /// <summary>What `docker build` calls the image.</summary>
    [GeneratedRegex(@"docker (?:buildx )?build .*? -t (?<image>\S+)")]
    private static partial Regex Build();

    [GeneratedRegex(@"^(GET|POST|PATCH|PUT|DELETE) (/v1/\S+)$")]
    private static partial Regex Call();
}
