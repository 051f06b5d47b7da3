using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using Angarium.Contracts.Configuration;
using Angarium.Host.Configuration;

namespace Angarium.Host.Logging;

/// <summary>
/// What is logged, and how: our own categories at the level of the settings (which may change), the frameworks' from warnings up. While the process starts the
/// frameworks say nothing, because a failed start is told in one line. Any thread.
/// </summary>
internal sealed class RelayLogging(ISettings<RelayOptions> settings)
{
    private volatile bool _started;

    public void Started() => _started = true;

    public void Configure(ILoggingBuilder logging)
    {
        var options = settings.Current;
        logging.SetMinimumLevel(LogLevel.Trace);
        logging.AddFilter((_, category, level) => IsEnabled(category ?? "", level));
        logging.Services.Configure<ConsoleLoggerOptions>(console => console.MaxQueueLength = 10_000);
        if (options.LogFormat == LogFormat.Json)
        {
            logging.AddJsonConsole(json =>
            {
                json.UseUtcTimestamp = true;
                json.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";
            });
        }
        else
        {
            logging.AddConsole(console => console.FormatterName = LineFormatter.FormatterName);
            logging.Services.AddSingleton<ConsoleFormatter>(new LineFormatter(TimeProvider.System));
        }
    }

    private bool IsEnabled(string category, LogLevel level)
    {
        if (category.StartsWith("Angarium.", StringComparison.Ordinal)) return level >= settings.Current.LogLevel;
        // It tells of each retry of each call, hundreds a second when a silo dies; Orleans says what failed in the end.
        return _started && category != "Polly" && level >= (settings.Current.LogLevel <= LogLevel.Debug ? LogLevel.Information : LogLevel.Warning);
    }
}
