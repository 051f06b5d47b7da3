namespace Angarium.Host.Cluster;

/// <summary>
/// Puts this process's proof of its role into every call that it makes, in place of whatever is there: on a silo that may be the proof of the caller on whose behalf it calls. On the
/// caller's turn; no state.
/// </summary>
internal sealed class RoleOutgoingFilter(RoleSecrets secrets) : IOutgoingGrainCallFilter
{
    // Async, so that what is set here is gone when the caller goes on.
    public async Task Invoke(IOutgoingGrainCallContext context)
    {
        RequestContext.Set(RoleSecrets.ContextKey, secrets.ProofFor(context.Request.GetInterfaceType()));
        await context.Invoke();
    }
}
