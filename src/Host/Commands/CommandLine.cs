using System.CommandLine;
using System.CommandLine.Parsing;
using Angarium.Host.Configuration;
using Angarium.Host.Control;
using Angarium.Host.Logging;
using Angarium.Host.Serving;
using Angarium.Spool.Files;

namespace Angarium.Host.Commands;

/// <summary>
/// The command line: what each word does and which options all share. As `sendmail` or `mailq` (by the name it was called, or as first word) it is
/// <see cref="Sendmail.SendmailCommand"/> instead, whose arguments follow another tradition. Runs once a process.
/// </summary>
internal static class CommandLine
{
    private static readonly Option<string?> s_config = new("--config") { Description = "JSON file of settings (also ANGARIUM_CONFIG).", Recursive = true, HelpName = "FILE" };
    private static readonly Option<string?> s_data = new("--data") { Description = "Folder of the relay's stores (the setting `Data`).", Recursive = true, HelpName = "FOLDER" };
    private static readonly Option<string[]> s_set = new("--set") { Description = "A setting, as Name=value; may be repeated.", Recursive = true, HelpName = "NAME=VALUE", DefaultValueFactory = _ => [] };
    private static readonly Option<bool> s_json = new("--json") { Description = "One JSON document instead of a table.", Recursive = true };

    public static Task<int> RunAsync(string[] args)
    {
        var calledAs = CalledAs();
        if (calledAs is "sendmail" or "mailq" or "newaliases") return Sendmail.SendmailCommand.RunAsync(calledAs, args);
        if (args is ["sendmail" or "mailq", ..]) return Sendmail.SendmailCommand.RunAsync(args[0], args[1..]);
        var line = Build().Parse(args);
        if (line.Errors.Count > 0)
        {
            var path = string.Join(' ', Words(line.CommandResult));
            var trouble = line.UnmatchedTokens is [var word, ..] ? $"there is no `{Printable.Line(word)}`" : line.Errors[0].Message.TrimEnd('.');
            Console.Error.WriteLine($"{path}: {trouble}; `{path} --help` shows how.");
            return Task.FromResult(ServeCommand.ExitBadSettings);
        }

        // The host ends the process in order on SIGTERM, within its own bound: the parser must not end it sooner.
        return line.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
    }

    /// <summary>The name of the link or file that was called: the runtime itself tells only which assembly that led to.</summary>
    private static string CalledAs()
    {
        const string Arguments = "/proc/self/cmdline";
        var first = File.Exists(Arguments) ? File.ReadAllText(Arguments).Split('\0')[0] : Environment.GetCommandLineArgs()[0];
        return Path.GetFileNameWithoutExtension(first);
    }

    internal static RootCommand Build()
    {
        var serve = new Command("serve", "Run the relay (what `angarium` alone does, too).");
        var root = new RootCommand("Angarium: a mail relay.") { serve, Trace(), Spool(), Storage(), Settings(), Metrics(), Doctor() };
        foreach (var command in new OperatorCommands(s_json, OpenApi).Build().Concat(TenantCommands.Build(s_json, OpenApi))) root.Subcommands.Add(command);
        foreach (Option option in new Option[] { s_config, s_data, s_set, s_json }) root.Options.Add(option);
        root.Subcommands.Add(new Command("sendmail", "Submit a message from standard input, as sendmail(8): `angarium sendmail -t`, or with recipients as arguments.") { TreatUnmatchedTokensAsErrors = false });
        root.Subcommands.Add(new Command("mailq", "List the queue, as mailq(1).") { TreatUnmatchedTokensAsErrors = false });
        serve.SetAction(ServeAsync);
        root.SetAction(ServeAsync);
        return root;

        static Task<int> ServeAsync(ParseResult line, CancellationToken cancellationToken) => ServeCommand.RunAsync(Sources(line), cancellationToken);
    }

    /// <summary>The words that led to a command: `angarium queue show`.</summary>
    private static IEnumerable<string> Words(CommandResult command) => command.Parent is CommandResult parent ? [.. Words(parent), command.Command.Name] : ["angarium"];

    private static SettingSources Sources(ParseResult line)
    {
        var overrides = line.GetValue(s_set)!.ToList();
        if (line.GetValue(s_data) is { } data) overrides.Add($"Data={data}");
        return SettingSources.OfProcess(line.GetValue(s_config), overrides);
    }

    private static Command Trace()
    {
        var ids = new Argument<string[]>("id") { Description = "The message id that the reply to the final dot named; several are found in one reading of the ledger.", Arity = ArgumentArity.OneOrMore };
        var trace = new Command("trace", "Every event of a message, from the ledger.") { ids };
        foreach (var option in new Option[] { ApiClient.Address, ApiClient.Key }) trace.Options.Add(option);
        trace.SetAction((line, token) => GuardedAsync(async () =>
        {
            if (IsRemote(line))
            {
                using var api = OpenApi(line);
                return await TraceCommand.RunAsync(api, line.GetValue(ids)!, line.GetValue(s_json), token);
            }

            using var relay = new ControlClient(DataOf(line));
            return await TraceCommand.RunAsync(relay, line.GetValue(ids)!, line.GetValue(s_json), token);
        }));
        return trace;
    }

    private static Command Spool()
    {
        var verify = new Command("verify", "Check every pack and every ledger stream under `Data`, beside a running relay or without one. Exit code 1 = something is damaged. Not in a cluster.");
        verify.SetAction((line, token) => GuardedAsync(() => SpoolCommand.VerifyAsync(Sources(line), line.GetValue(s_json), token)));
        return new Command("spool", "Look after the stored packs and ledger.") { verify };
    }

    private static Command Storage()
    {
        var role = new Option<string>("--role") { Description = "The roles of the processes that the keys are for: ingress, egress, api, or several with commas.", Required = true };
        var days = new Option<int>("--days") { Description = "How long they are good.", DefaultValueFactory = _ => 365 };
        var keys = new Command("keys", "Print the settings by which processes with these roles reach the stores of a cluster, and no more than they need (needs the account in Spool:Azure).") { role, days };
        keys.SetAction((line, _) => GuardedAsync(() => Task.FromResult(StorageCommand.Keys(Sources(line), line.GetValue(role)!, line.GetValue(days), line.GetValue(s_json)))));
        return new Command("storage", "Look after the stores of a cluster.") { keys };
    }

    private static Command Settings()
    {
        var markdown = new Option<bool>("--markdown") { Description = "The reference page of all settings." };
        var check = new Option<bool>("--check") { Description = "Only say whether they are right." };
        var settings = new Command("settings", "The settings in force, secrets left out.") { markdown, check };
        settings.SetAction(line => SettingsCommand.Run(Sources(line), line.GetValue(markdown), line.GetValue(check), line.GetValue(s_json)));
        return settings;
    }

    private static Command Metrics()
    {
        var metrics = new Command("metrics", "The reference page of all metrics.");
        metrics.SetAction(_ => Console.Out.Write(MetricReference.Markdown(SettingCatalog.Assemblies)));
        return metrics;
    }

    private static Command Doctor()
    {
        var target = new Option<string?>("--target") { Description = "Mail host to which port 25 is tried, as host or host:port; without it the next hop, else a large receiver's.", HelpName = "HOST" };
        var doctor = new Command("doctor", "Check what this process's roles need of their surroundings: addresses and their names, port 25, DNS, clock, storage, Redis, certificate. Exit code 1 = something has to be mended.") { target };
        doctor.SetAction((line, token) => GuardedAsync(() => DoctorCommand.RunAsync(Sources(line), line.GetValue(target), line.GetValue(s_json), token)));
        return doctor;
    }

    /// <summary>Orders may take minutes: of a long queue each page is read and written.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(10);

    private static bool IsRemote(ParseResult line) => ApiClient.IsRemote(line, namesProcess: (line.GetValue(s_config) ?? line.GetValue(s_data)) is not null);

    /// <summary>The process whose `Data` the line means, or the API that it or the environment names.</summary>
    private static ApiClient OpenApi(ParseResult line) => IsRemote(line) ? ApiClient.OverHttp(line, s_patience) : ApiClient.OverSocket(DataOf(line));

    private static string DataOf(ParseResult line) => SettingsCommand.DataOf(Sources(line));

    internal static async Task<int> GuardedAsync(Func<Task<int>> run)
    {
        try
        {
            return await run();
        }
        catch (CommandException e)
        {
            await Console.Error.WriteLineAsync($"angarium: {e.Message}");
            return e.ExitCode;
        }
        catch (Exception e) when (e is StoreUnavailableException or IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"angarium: {Printable.Line(e.Message)}");
            return 1;
        }
    }
}
