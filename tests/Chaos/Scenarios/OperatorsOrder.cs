using System.Globalization;
using System.Text.Json.Nodes;
using Angarium.Chaos.Processes;
using Angarium.Integration.Harness;

namespace Angarium.Chaos.Scenarios;

/// <summary>
/// An operator suspends, holds, drops and retries over three silos by the API; then every process of the relay but ingress is killed and Redis is wiped, and all of it stands. Receivers of sites 1 to 4 defer at
/// first; the others take what comes.
/// </summary>
public sealed class OperatorsOrder : Scenario
{
    private const int Port = 8080;
    private const string Held = "d0.site3.test", Dropped = "d1.site3.test", Told = "d2.site3.test";

    private static readonly string s_key = Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(24));
    private static readonly string s_file = Path.Combine(Directory.CreateTempSubdirectory("angarium-operators-").FullName, "administrator");

    internal override Tuning Tuning => new() { Settings = role => role == "api" ? new Dictionary<string, string> { ["Http:Listen"] = $"0.0.0.0:{Port}", ["Api:AdministratorKey"] = KeyFile() } : new Dictionary<string, string>() };

    /// <summary>What is deferred waits for an hour, unless somebody orders otherwise.</summary>
    internal override IReadOnlyDictionary<string, string> Settings(bool isFull) => new Dictionary<string, string> { ["Retry:Schedule"] = "1h" };

    internal override async Task RunAsync(Stage stage)
    {
        var count = stage.IsFull ? 20_000 : 300;
        IReadOnlyList<string> beta = [], acme = [], held = [], dropped = [], told = [], beside = [];
        await stage.StepAsync("Should_count_what_is_queued_by_domain_site_tenant_and_age", async () =>
        {
            Defer(stage, 1);
            (beta, acme) = (await stage.Post.BulkAsync("beta", count, i => Post.Domain(2, i % 20)), await stage.Post.BulkAsync("acme", 2 * count, i => Post.Domain(1, i % 20)));
            (held, dropped, told) = (await stage.Post.BulkAsync("gamma", count / 10, _ => Held), await stage.Post.BulkAsync("gamma", count / 10, _ => Dropped), await stage.Post.BulkAsync("gamma", count / 10, _ => Told));
            beside = await stage.Post.BulkAsync("acme", 20, i => Post.Domain(2, i));
            await stage.TriedAsync([.. beta, .. acme, .. held, .. dropped, .. told, .. beside]);
            var all = 3 * count + 3 * (count / 10) + beside.Count;
            await Stage.UntilAsync(async () => await stage.QueuedAsync() >= all, Stage.Patience, () => "deferred mail is not in the index");
            var tenants = await ShapeAsync(stage, "--by", "tenant");
            Stage.Require(tenants["acme"] == 2 * count + beside.Count && tenants["beta"] == count && tenants["gamma"] == 3 * (count / 10) && tenants["TOTAL"] == all, $"by tenant: {Text(tenants)}");
            var sites = await ShapeAsync(stage, "--by", "site");
            Stage.Require(sites.Count(one => one.Key.StartsWith("mx:mx0.site", StringComparison.Ordinal)) == 3 && sites.ContainsValue(2 * count), $"by site: {Text(sites)}");
            var domains = await ShapeAsync(stage, "--tenant", "gamma");
            Stage.Require(domains.Where(one => one.Value > 0).Select(one => one.Key).ToHashSet().SetEquals([Held, Dropped, Told, "TOTAL"]), $"of gamma: {Text(domains)}");
            return $"{all} recipients of {tenants.Count - 1} tenants at {sites.Count - 1} sites";
        });
        await stage.StepAsync("Should_take_orders_over_all_silos", async () =>
        {
            await DoneAsync(stage, "suspend", "site", "d0.site1.test", "--for", "2h", "--reason", "they asked us to");
            await DoneAsync(stage, "suspend", "tenant", "beta", "--reason", "abuse");
            await DoneAsync(stage, "queue", "hold", Held, "--reason", "looked at");
            // Who owns a queue since less than 35 s says so.
            Stage.Require(await OnceDoneAsync(stage, "queue", "drop", Dropped, "--reason", "not wanted") == $"{dropped.Count} recipients dropped.", "not all were dropped");
            Stage.Require(await OnceDoneAsync(stage, "queue", "drop", Told, "--reason", "we give up", "--bounce") == $"{told.Count} recipients dropped; their senders are told.", "not all were dropped with a notice");
            await Stage.UntilAsync(() => Task.FromResult(told.All(stage.Sink.IsSettled)), Stage.Patience, () => "their senders were not told");
            return await DoneAsync(stage, "suspensions");
        });
        await stage.StepAsync("Should_keep_all_of_it_through_kill_9_of_everything_and_a_wipe_of_Redis", async () =>
        {
            var start = DateTimeOffset.UtcNow;
            string[] roles = ["grains", "egress", "api"];
            var victims = roles.SelectMany(stage.Cluster.With).ToList();
            await Task.WhenAll(victims.Select(one => one.KillAsync()));
            await stage.Cluster.Redis!.FlushAsync();
            Defer(stage, 0);
            await Task.WhenAll(victims.Where(one => one.Role == "grains").Select(one => one.StartAsync()));
            await Task.WhenAll(victims.Where(one => one.Role != "grains").Select(one => one.StartAsync()));
            stage.Note("kill-all", "silos", "", start);
            // Others of the same tenants and silos flow: what rests, rests because it was ordered.
            var others = await stage.Post.BulkAsync("acme", 20, i => Post.Domain(5 + i % 4, i));
            var fresh = await stage.Post.BulkAsync("beta", 20, i => Post.Domain(5 + i % 4, i));
            await stage.SettledAsync(others.Contains);
            // The index is filled again before it is asked to be tried: the sweep puts back what is open.
            await Stage.UntilAsync(async () => await stage.QueuedAsync() >= acme.Count + beta.Count + held.Count, Stage.Patience, () => "not all is queued again");
            stage.Say("all is queued again");
            await OnceDoneAsync(stage, "queue", "retry", "--all");
            // What is beside the tenant's mail in the same queues is sent, and what is ready for the site is kept from it: so much has been read back.
            await stage.SettledAsync(beside.Contains);
            await Stage.UntilAsync(async () => await IsReadyAndKeptAsync(stage, "d3.site1.test"), Stage.Patience, () => "mail for the site is not read back");
            var wrong = acme.Concat(beta).Concat(fresh).Concat(held).Concat(dropped).Where(r => stage.Sink.IsSettled(r)).ToList();
            Stage.Require(wrong.Count == 0, $"{wrong.Count} were sent although they were suspended, held or dropped: {string.Join(' ', wrong.Take(5))}");
            var listed = JsonNode.Parse(await DoneAsync(stage, "suspensions", "--json"))!.AsArray();
            Stage.Require(listed.Count == 2 && listed[0]!["until"] is not null && listed[1]!["until"] is null, listed.ToJsonString());
            var explained = await DoneAsync(stage, "explain", "d3.site1.test");
            Stage.Require(explained.Contains("site mx:mx0.site1.test,mx1.site1.test suspended by administrator until ", StringComparison.Ordinal) && explained.Contains("Egress:Site:Connections", StringComparison.Ordinal), explained);
            return $"{victims.Count} processes killed at once, Redis wiped: nothing of {acme.Count + beta.Count + fresh.Count + held.Count + dropped.Count} was sent";
        });
        await stage.StepAsync("Should_resume_release_and_retry", async () =>
        {
            await DoneAsync(stage, "resume", "site", "mx:mx0.site1.test,mx1.site1.test");
            await DoneAsync(stage, "resume", "tenant", "beta");
            await DoneAsync(stage, "queue", "release", Held);
            await OnceDoneAsync(stage, "queue", "retry", "--all");
            var took = await stage.SettledAsync(r => !dropped.Contains(r));
            var arrivals = stage.Arrivals().Select(a => a.Recipient).ToHashSet();
            var arrived = dropped.Concat(told).Where(arrivals.Contains).ToList();
            Stage.Require(arrived.Count == 0 && !dropped.Any(stage.Sink.IsSettled), $"{arrived.Count} of those that were dropped arrived, or a notice of them");
            return string.Create(CultureInfo.InvariantCulture, $"all but the dropped arrived within {took.TotalSeconds:f0} s");
        });
        await stage.StepAsync("Should_have_every_order_in_the_audit_and_every_drop_in_the_events", async () =>
        {
            var audit = JsonNode.Parse(await DoneAsync(stage, "audit", "--limit", "100", "--json"))!.AsArray().Select(one => $"{one!["action"]} {one["target"]} by {one["actor"]}: {one["detail"]}").Reverse().ToList();
            string[] expected =
            [
                "suspend site mx:mx0.site1.test,mx1.site1.test by administrator: until ", "suspend tenant beta by administrator: until resumed: abuse", $"hold domain {Held} by administrator: looked at",
                $"drop domain {Dropped} by administrator: not wanted", $"drop domain {Told} by administrator: senders are told: we give up", "retry all by administrator: ", "resume site mx:mx0.site1.test,mx1.site1.test by administrator: ",
                "resume tenant beta by administrator: ", $"release domain {Held} by administrator: ",
            ];
            foreach (var one in expected) Stage.Require(audit.Exists(line => line.StartsWith(one, StringComparison.Ordinal)), $"`{one}` is not in the audit: {string.Join("; ", audit)}");
            var events = (await EventsAsync(stage)).Where(one => one["own"]?.GetValue<bool>() == true).CountBy(one => $"{one["type"]} {one["reply"]}").ToDictionary();
            Stage.Require(events.GetValueOrDefault("dropped 554 5.7.0 not wanted") == dropped.Count && events.GetValueOrDefault("failed 554 5.7.0 we give up") == told.Count, Text(events.ToDictionary(one => one.Key, one => (long)one.Value)));
            return $"{audit.Count} orders, {dropped.Count} dropped and {told.Count} failed by our word";
        });
    }

    private static void Defer(Stage stage, double share)
    {
        for (var site = 1; site <= 4; site++) stage.Sink.Behave($"site{site}", one => one with { Deferred = share });
    }

    /// <summary>Every event, page by page.</summary>
    private static async Task<List<JsonNode>> EventsAsync(Stage stage)
    {
        var (all, cursor, isMore) = (new List<JsonNode>(), "", true);
        while (isMore)
        {
            var page = JsonNode.Parse(await DoneAsync(stage, ["events", "--limit", "1000", "--json", .. cursor.Length > 0 ? (string[])["--cursor", cursor] : []]))!;
            all.AddRange(page["events"]!.AsArray().Select(one => one!.DeepClone()));
            (cursor, isMore) = (page["cursor"]!.GetValue<string>(), page["more"]!.GetValue<bool>());
        }

        return [.. all.DistinctBy(one => one["id"]!.GetValue<string>())];
    }

    private static async Task<Dictionary<string, long>> ShapeAsync(Stage stage, params string[] options)
    {
        var table = JsonNode.Parse(await DoneAsync(stage, ["queue", "shape", "--json", .. options]))!;
        Stage.Require(table["silentSilos"]!.GetValue<int>() == 0 && table["rows"]!.AsArray().Append(table["total"]).All(row => row!["ages"]!.AsArray().Sum(age => age!.GetValue<long>()) == row["queued"]!.GetValue<long>()), table.ToJsonString());
        return table["rows"]!.AsArray().Append(table["total"]).ToDictionary(row => row!["name"]!.GetValue<string>(), row => row!["queued"]!.GetValue<long>());
    }

    private static string Text(IReadOnlyDictionary<string, long> counts) => string.Join(", ", counts.Select(one => $"{one.Key} {one.Value}"));

    /// <summary>Given until it is carried out: by a queue that was taken over just now it is not.</summary>
    private static async Task<string> OnceDoneAsync(Stage stage, params string[] command)
    {
        var last = "";
        await Stage.UntilAsync(async () =>
        {
            (var code, last) = await CommandAsync(stage, command);
            // Each is in the audit, carried out or not.
            if (code != 0) await Task.Delay(TimeSpan.FromSeconds(3));
            return code == 0;
        }, Stage.Patience, () => $"angarium {string.Join(' ', command)}: {last}");
        return last;
    }

    private static async Task<bool> IsReadyAndKeptAsync(Stage stage, string domain)
    {
        var queue = JsonNode.Parse(await DoneAsync(stage, "queue", "show", domain, "--json"))![0]!;
        return queue["site"] is not null && queue["recipients"]!.AsArray() is { Count: > 0 } recipients && recipients.All(one => one!["state"]!.GetValue<string>() == "suspended");
    }

    private static async Task<string> DoneAsync(Stage stage, params string[] command)
    {
        var (code, output) = await CommandAsync(stage, command);
        Stage.Require(code == 0, $"angarium {string.Join(' ', command)} ended with {code}: {output}");
        return output;
    }

    private static Task<(int Code, string Output)> CommandAsync(Stage stage, params string[] command) =>
        Child.RunAsync(Cluster.Executable, [.. command, "--api", $"http://{stage.Cluster.With("api")[0].Address}:{Port}"], TimeSpan.FromMinutes(5), environment: new Dictionary<string, string> { ["ANGARIUM_API_KEY"] = s_key });

    private static string KeyFile()
    {
        File.WriteAllText(s_file, s_key);
        return s_file;
    }
}
