using System.Globalization;
using Microsoft.Extensions.Logging;

namespace Angarium.Host.Logging;

/// <summary>
/// One event, one line: `HH:mm:ss.fff level: category[id] message`, an exception after it. Whatever a client, a peer or a file put into it is escaped, so that
/// nobody forges a line or moves the cursor of who reads it. Any thread; no state.
/// </summary>
internal sealed class LineLogger(string category, LogWriter writer, TimeProvider time) : ILogger
{
    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    /// <summary>The factory's filters have said yes before.</summary>
    public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        var text = Printable.Line(formatter(state, exception));
        var tail = exception is null ? "" : " " + Printable.Line(exception.ToString());
        Span<char> room = stackalloc char[64 + category.Length];
        room.TryWrite(CultureInfo.InvariantCulture, $"{time.GetLocalNow():HH:mm:ss.fff} {Word(logLevel)}: {category}[{eventId.Id}] ", out var length);
        writer.Write(room[..length], text, tail);
    }

    private static string Word(LogLevel level) => level switch
    {
        LogLevel.Trace => "trce",
        LogLevel.Debug => "dbug",
        LogLevel.Information => "info",
        LogLevel.Warning => "warn",
        LogLevel.Error => "fail",
        _ => "crit",
    };
}

/// <summary>Loggers whose lines leave in their order by one writer, which ends with this. Any thread.</summary>
internal sealed class LineLoggerProvider(Stream stream, TimeProvider time) : ILoggerProvider
{
    private readonly LogWriter _writer = new(stream);

    public ILogger CreateLogger(string categoryName) => new LineLogger(categoryName, _writer, time);

    public void Dispose() => _writer.Dispose();
}
