using Microsoft.Extensions.Logging;

namespace Angarium.Host.Cluster;

/// <summary>
/// Puts this process's proof of its role into every call that it makes, in place of whatever is there: on a silo that may be the proof of the caller on whose behalf it calls. On the
/// caller's turn; only that a refusal was logged is kept.
/// </summary>
internal sealed partial class RoleOutgoingFilter(RoleSecrets secrets, ILogger<RoleOutgoingFilter> log) : IOutgoingGrainCallFilter
{
    private bool _logged;

    // Async, so that what is set here is gone when the caller goes on.
    public async Task Invoke(IOutgoingGrainCallContext context)
    {
        RequestContext.Set(RoleSecrets.ContextKey, secrets.ProofFor(context.Request.GetInterfaceType()));
        try
        {
            await context.Invoke();
        }
        catch (UnauthorizedAccessException refusal)
        {
            // A wrong secret shows in the first call of all, which Orleans repeats for ever without a word.
            if (!_logged) Refused(log, refusal.Message);
            _logged = true;
            throw;
        }
    }

    [LoggerMessage(5204, LogLevel.Error, "refused by a silo: {Reason}; has it another Cluster:Secret for this role? More of the same are not logged")]
    private static partial void Refused(ILogger logger, string reason);
}
