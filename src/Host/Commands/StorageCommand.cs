using Angarium.Host.Configuration;
using Angarium.Host.Control;
using Angarium.Host.Serving;
using Angarium.Spool.Azure;
using Angarium.Spool.Files;

namespace Angarium.Host.Commands;

/// <summary>`angarium storage keys`: what processes with some roles need of the stores and no more, as settings to give to them. One thread; calls nobody.</summary>
internal static class StorageCommand
{
    public static int Keys(SettingSources sources, string roles, int days, bool json)
    {
        var values = SettingsCommand.Read(sources);
        var account = values["Spool:Azure"]?.Text ?? "";
        if (account.Length == 0) throw new CommandException("Spool:Azure: must be the connection string of the account, with its key, for keys to be made from it.", ServeCommand.ExitBadSettings);
        if (days is < 1 or > 3_650) throw new CommandException("--days: must be from 1 to 3650.", ServeCommand.ExitBadSettings);
        var named = roles.ToLowerInvariant().Split(',', StringSplitOptions.TrimEntries);
        if (named.FirstOrDefault(role => !AzureRoleKeys.Roles.Contains(role)) is { } other)
            throw new CommandException($"--role: `{other}` needs no keys of its own; roles that do are {string.Join(", ", AzureRoleKeys.Roles)}, and silos (`grains`) have the account.", ServeCommand.ExitBadSettings);
        var prefix = values["Spool:Container"]?.Text is { Length: > 0 } set ? set : new StoreSettings().Container;
        try
        {
            var settings = AzureRoleKeys.Make(account, prefix, named, TimeProvider.System.GetUtcNow().AddDays(days))
                .OrderBy(one => one.Key, StringComparer.Ordinal).ToDictionary(one => $"Spool:Containers:{one.Key}", one => one.Value);
            if (json) return QueueCommands.Print(settings);
            foreach (var (name, value) in settings) Console.Out.WriteLine($"{name}={value}");
            return 0;
        }
        catch (StoreUnavailableException e)
        {
            throw new CommandException(e.Message, ServeCommand.ExitBadSettings);
        }
    }
}
