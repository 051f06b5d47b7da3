using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using Angarium.Contracts.Configuration;
using Angarium.Host.Configuration;

namespace Angarium.Host.Logging;

/// <summary>
/// What is logged, and how: our own categories at the level of the settings (which may change), the frameworks' from warnings up. While the process starts the
/// frameworks say nothing, because a failed start is told in one line. Owns the loggers; what they were told is written when it ends. Any thread.
/// </summary>
internal sealed class RelayLogging : IDisposable
{
    private readonly ISettings<RelayOptions> _settings;
    private volatile bool _started;

    public RelayLogging(ISettings<RelayOptions> settings)
    {
        _settings = settings;
        Loggers = LoggerFactory.Create(Configure);
    }

    public ILoggerFactory Loggers { get; }

    public void Started() => _started = true;

    public void Dispose() => Loggers.Dispose();

    private void Configure(ILoggingBuilder logging)
    {
        var options = _settings.Current;
        logging.SetMinimumLevel(LogLevel.Trace);
        logging.AddFilter((_, category, level) => IsEnabled(category ?? "", level));
        if (options.LogFormat == LogFormat.Json)
        {
            logging.Services.Configure<ConsoleLoggerOptions>(console => console.MaxQueueLength = 10_000);
            logging.AddJsonConsole(json =>
            {
                json.UseUtcTimestamp = true;
                json.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";
            });
        }
        else
        {
            logging.AddProvider(new LineLoggerProvider(Console.OpenStandardOutput(), TimeProvider.System));
        }
    }

    private bool IsEnabled(string category, LogLevel level)
    {
        if (category.StartsWith("Angarium.", StringComparison.Ordinal)) return level >= _settings.Current.LogLevel;
        // It tells of each retry of each call, hundreds a second when a silo dies; Orleans says what failed in the end.
        return _started && category != "Polly" && level >= (_settings.Current.LogLevel <= LogLevel.Debug ? LogLevel.Information : LogLevel.Warning);
    }
}
