using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Azure;
using Azure.Identity;

namespace Angarium.Spool.Azure;

/// <summary>
/// What the blob service's failures mean, in words without secrets: the service's own texts may quote a signature, so that only status, code and request id are passed on, and never the
/// failure itself. Pure.
/// </summary>
internal static class AzureErrors
{
    public const string BlobNotFound = "BlobNotFound", ContainerNotFound = "ContainerNotFound", PermissionMismatch = "AuthorizationPermissionMismatch", BlobOverwrite = "UnauthorizedBlobOverwrite";

    /// <summary>Least time that an attempt at a write is given; a large body gets more.</summary>
    private static readonly TimeSpan LeastAttempt = TimeSpan.FromSeconds(6);

    /// <summary>Ends with the caller's token, or when an attempt with that many octets has taken too long: its result is then unknown.</summary>
    public static CancellationTokenSource Attempt(CancellationToken caller, long octets = 0)
    {
        var source = CancellationTokenSource.CreateLinkedTokenSource(caller);
        source.CancelAfter(LeastAttempt + TimeSpan.FromSeconds(octets / (2 << 20)));
        return source;
    }

    /// <summary>The service or the way to it failed; false for the caller's own cancellation and for mistakes in the code.</summary>
    public static bool IsFailure(Exception failure, CancellationToken caller) => failure switch
    {
        OperationCanceledException => !caller.IsCancellationRequested,
        AggregateException several => several.InnerExceptions.All(e => IsFailure(e, caller)),
        RequestFailedException or AuthenticationFailedException or IOException or HttpRequestException or SocketException or TimeoutException => true,
        _ => false,
    };

    public static IOException Failed(string what, Exception failure) => new($"{what}: {Describe(failure)}");

    public static string Describe(Exception failure) => failure switch
    {
        RequestFailedException { Status: > 0 } answer => $"the store answers {answer.Status} {answer.ErrorCode} (request {RequestId(answer)})",
        OperationCanceledException or TimeoutException => "the store does not answer in time",
        AggregateException several when several.InnerExceptions.Count > 0 => Describe(several.InnerExceptions[^1]),
        AuthenticationFailedException => "no token for the store could be had: " + FirstLine(Cause(failure).Message),
        SocketException socket => "the store cannot be reached: " + socket.SocketErrorCode,
        { InnerException: { } inner } => Describe(inner),
        IOException or HttpRequestException or RequestFailedException => "the store cannot be reached: " + FirstLine(failure.Message),
        _ => failure.GetType().Name,
    };

    public static bool Is(this RequestFailedException failure, int status, string code) => failure.Status == status && failure.ErrorCode == code;

    /// <summary>A listing whose failures are <see cref="IOException"/>s.</summary>
    public static async IAsyncEnumerable<T> Guarded<T>(this AsyncPageable<T> items, string what, [EnumeratorCancellation] CancellationToken cancellationToken) where T : notnull
    {
        var pages = items.AsPages().GetAsyncEnumerator(cancellationToken);
        await using var closing = pages.ConfigureAwait(false);
        for (; ; )
        {
            try
            {
                if (!await pages.MoveNextAsync().ConfigureAwait(false)) yield break;
            }
            catch (Exception failure) when (IsFailure(failure, cancellationToken))
            {
                throw Failed(what, failure);
            }

            foreach (var item in pages.Current.Values) yield return item;
        }
    }

    /// <summary>What began it: around it is told only how often it was tried, and by what.</summary>
    private static Exception Cause(Exception failure)
    {
        while (((failure as AggregateException)?.InnerExceptions.LastOrDefault() ?? failure.InnerException) is { } inner) failure = inner;
        return failure;
    }

    private static string RequestId(RequestFailedException failure) => failure.GetRawResponse()?.Headers.RequestId ?? "unknown";

    private static string FirstLine(string text) => text.Split('\n', 2)[0] is { Length: > 200 } line ? line[..200] : text.Split('\n', 2)[0].TrimEnd();
}
