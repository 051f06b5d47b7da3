using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Angarium.Integration.Harness;

namespace Angarium.Integration;

/// <summary>The command line over the API: what people see, and what `--json` gives to programs.</summary>
public sealed partial class When_tenants_are_commanded
{
    [Fact]
    public async Task Should_do_all_that_an_operator_needs()
    {
        await using var all = await Tenancy.StartAsync();
        string[] administrator = ["--api", all.Http.BaseAddress!.ToString(), "--key", all.Http.DefaultRequestHeaders.Authorization!.Parameter!];
        Task<string> RunAsync(params string[] words) => CommandAsync(0, words);
        Task<string> RefusedAsync(params string[] words) => CommandAsync(1, words);
        async Task<string> CommandAsync(int expected, string[] words)
        {
            var (code, output) = await all.Relay.CommandAsync([.. words, .. administrator]);
            Assert.True(code == expected, $"{string.Join(' ', words)} ended with {code}: {output}");
            return output;
        }

        var created = await RunAsync("tenant", "create", "Acme", "--domain", "acme.test");
        var id = Id().Match(created).Groups[1].Value;
        Assert.Contains("_angarium.acme.test", created, StringComparison.Ordinal);
        Assert.Matches($@"{id} +Acme +default +false", await RunAsync("tenant", "list"));

        Assert.Contains("\"verp\": \"recipient\"", await RunAsync("tenant", "set", id, "--name", "Acme Ltd", "--verp", "recipient", "--quota", "perSecond=12.5,perDay=100000"), StringComparison.Ordinal);
        var shown = JsonNode.Parse(await RunAsync("tenant", "show", id, "--json"))!;
        Assert.Equal(("Acme Ltd", "recipient", 12.5, 100_000, 0), (shown["name"]!.GetValue<string>(), shown["verp"]!.GetValue<string>(), shown["quota"]!["perSecond"]!.GetValue<double>(), shown["quota"]!["perDay"]!.GetValue<long>(), shown["quota"]!["perHour"]!.GetValue<long>()));
        Assert.Contains("perSecond=100", await RefusedAsync("tenant", "set", id, "--quota", "perSecond=fast"), StringComparison.Ordinal);
        Assert.Contains("quota", await RefusedAsync("tenant", "set", id, "--quota", "perFortnight=1"), StringComparison.Ordinal);

        await RunAsync("domain", "add", id, "second.test");
        Assert.Matches(@"second\.test +pending", await RunAsync("domain", "list", id));
        Assert.Contains("second.test is pending", await RunAsync("domain", "verify", id, "second.test"), StringComparison.Ordinal);
        await RunAsync("domain", "remove", id, "second.test");
        Assert.DoesNotContain("second.test", await RunAsync("domain", "list", id), StringComparison.Ordinal);

        var user = User().Match(await RunAsync("credential", "add", id, "app")).Groups[1].Value;
        Assert.Matches($@"{user} +app", await RunAsync("credential", "list", id));
        await RunAsync("credential", "remove", id, user);
        Assert.DoesNotContain(user, await RunAsync("credential", "list", id), StringComparison.Ordinal);
        var key = JsonNode.Parse(await RunAsync("key", "add", id, "reader", "--scopes", "read", "--json"))!;
        Assert.StartsWith("ak_", key["key"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Matches($@"{key["id"]} +reader +.*read", await RunAsync("key", "list", id));

        await RunAsync("tenant", "pause", id);
        Assert.Matches($@"{id} +Acme Ltd +default +true", await RunAsync("tenant", "list"));
        await RunAsync("tenant", "resume", id);
        Assert.Contains("administrator", await RunAsync("tenant", "audit", id), StringComparison.Ordinal);
        await RunAsync("events");
        await RunAsync("tenant", "delete", id);
        Assert.DoesNotContain(id, await RunAsync("tenant", "list"), StringComparison.Ordinal);

        // One line says what is wrong, and with what.
        var unknown = await RefusedAsync("tenant", "show", id);
        Assert.Single(unknown.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [GeneratedRegex(@"(?m)^id +(\S+)")]
    private static partial Regex Id();

    [GeneratedRegex(@"(?m)^user +(\S+)")]
    private static partial Regex User();
}
