using System.Globalization;
using System.Net.Sockets;
using Angarium.Contracts.Configuration;
using Angarium.Host.Commands;
using Angarium.Host.Configuration;
using Angarium.Host.Control;
using Angarium.Host.Serving;

namespace Angarium.Host.Sendmail;

/// <summary>
/// `sendmail` and `mailq` as scripts call them. A message goes to the relay's own listener by SMTP and is durable there when this exits with 0; nothing is
/// kept here. Exit codes are those of sysexits.h. One thread.
/// </summary>
internal static class SendmailCommand
{
    internal const int ExitOk = 0, ExitUsage = 64, ExitDataError = 65, ExitUnavailable = 69, ExitTemporary = 75, ExitConfig = 78;

    private const int MaxInput = 512 << 20;
    private static readonly TimeSpan s_timeout = TimeSpan.FromMinutes(15);

    public static async Task<int> RunAsync(string calledAs, string[] args)
    {
        var arguments = SendmailArguments.Parse(calledAs, args);
        if (arguments.Mistake is not null) return Fail(ExitUsage, arguments.Mistake);
        var sources = SettingSources.OfProcess(arguments.Config, []);
        return arguments.Do switch
        {
            SendmailArguments.Mode.Submit => await SubmitAsync(arguments, sources.Read()),
            SendmailArguments.Mode.ListQueue => await CommandLine.GuardedAsync(async () =>
            {
                using var relay = new ControlClient(SettingsCommand.DataOf(sources));
                return await QueueCommands.MailqAsync(relay, CancellationToken.None);
            }),
            SendmailArguments.Mode.Nothing => ExitOk,
            _ => Fail(ExitUsage, "this mode of sendmail is not offered; the relay is started with `angarium serve`"),
        };
    }

    private static async Task<int> SubmitAsync(SendmailArguments arguments, SettingValues settings)
    {
        if (settings.Mistakes.Count > 0) return Fail(ExitConfig, settings.Mistakes[0]);
        var hostname = settings["Hostname"]!.Text;
        var sender = arguments.Sender ?? $"{Environment.UserName}@{hostname}";
        if (sender.Length > 0 && !sender.Contains('@', StringComparison.Ordinal)) sender = $"{sender}@{hostname}";
        if ((arguments.Server ?? ListenerOf(settings)) is not { } server || AddressOf(server) is not (var host, var port))
            return Fail(ExitConfig, "the relay has no SMTP listener at a known address; set Ingress:Smtp:Listen or name one with --server HOST:PORT");
        using var timeout = new CancellationTokenSource(s_timeout);
        try
        {
            var message = OutgoingMessage.Prepare(await ReadInputAsync(timeout.Token), arguments, sender, hostname, TimeProvider.System.GetUtcNow());
            if (message.Recipients.Count == 0) return Fail(ExitUsage, "the message names no recipients");
            using var submission = await SmtpSubmission.ConnectAsync(host, port, timeout.Token);
            var code = await submission.SendAsync(hostname, sender, message, arguments, timeout.Token);
            return (code / 100) switch
            {
                2 => ExitOk,
                5 => Fail(ExitUnavailable, submission.Said),
                _ => Fail(ExitTemporary, submission.Said),
            };
        }
        catch (FormatException e)
        {
            return Fail(ExitDataError, e.Message);
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return Fail(ExitTemporary, $"{server}: {e.Message}");
        }
        catch (OperationCanceledException)
        {
            return Fail(ExitTemporary, $"{server}: no answer");
        }
    }

    /// <summary>`address:port`, of which "any" is this machine, or `name:port`; null = neither.</summary>
    internal static (string Host, int Port)? AddressOf(string server)
    {
        if (RelayOptions.TryParseEndPoint(server, out var endPoint)) return (Listeners.Reachable(endPoint).Address.ToString(), endPoint.Port);
        var colon = server.LastIndexOf(':');
        return colon > 0 && Uri.CheckHostName(server[..colon]) == UriHostNameType.Dns && ushort.TryParse(server.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port > 0
            ? (server[..colon], port) : null;
    }

    /// <summary>The first relay listener in the settings, or its default.</summary>
    private static string? ListenerOf(SettingValues settings)
    {
        var bound = SettingBinder.Bind(SettingCatalog.All, settings);
        var definition = SettingCatalog.All.Find("Ingress:Smtp:Listen");
        var value = definition is null ? null : definition.Property.GetValue(bound.Records[definition.Record]);
        return SettingText.Format(value).Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).FirstOrDefault();
    }

    private static async Task<byte[]> ReadInputAsync(CancellationToken cancellationToken)
    {
        await using var input = Console.OpenStandardInput();
        using var content = new MemoryStream();
        var buffer = new byte[64 << 10];
        for (int read; (read = await input.ReadAsync(buffer, cancellationToken)) > 0;)
        {
            if (content.Length + read > MaxInput) throw new FormatException("the message is larger than any relay takes");
            content.Write(buffer, 0, read);
        }

        return content.ToArray();
    }

    private static int Fail(int code, string line)
    {
        Console.Error.WriteLine($"sendmail: {line}");
        return code;
    }
}
