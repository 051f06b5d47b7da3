using Angarium.Spool.Files;

namespace Angarium.Host.Serving;

/// <summary>One line for whatever ended a start. Pure.</summary>
internal static class StartFailure
{
    public static string Explain(Exception e)
    {
        var known = Chain(e).FirstOrDefault(cause => cause is StartException or StoreUnavailableException);
        if (known is not null) return known.Message;
        // The innermost says what happened; what wraps it says only where. That something was cancelled says nothing.
        var cause = Chain(e).LastOrDefault(c => c is not OperationCanceledException) ?? Chain(e).Last();
        var line = cause.Message.ReplaceLineEndings(" ").Trim();
        return cause is IOException or UnauthorizedAccessException ? line : $"{line} ({cause.GetType().Name}; Log:Level=debug shows where)";
    }

    private static IEnumerable<Exception> Chain(Exception e)
    {
        for (Exception? at = e; at is not null; at = at is AggregateException { InnerExceptions.Count: > 0 } many ? many.InnerExceptions[0] : at.InnerException)
            yield return at;
    }
}
