using System.Collections.Concurrent;
using Angarium.Contracts.Administrators;
using Microsoft.Extensions.Logging;
using Orleans.Serialization.Invocation;

namespace Angarium.Host.Cluster;

/// <summary>
/// Admits a call to a silo only if its proof proves a role that may make it (<see cref="RoleTable"/>). Orleans runs it for every call that is carried out: of grains, their extensions and
/// system targets, whether it came by a gateway or from a silo. On the called turn; only which refusals were logged is kept.
/// </summary>
internal sealed partial class RoleIncomingFilter(RoleSecrets secrets, ILogger<RoleIncomingFilter> log) : IIncomingGrainCallFilter
{
    /// <summary>Bounded by the interfaces there are.</summary>
    private readonly ConcurrentDictionary<(CallerRoles Caller, Type Called), bool> _logged = new();

    public Task Invoke(IIncomingGrainCallContext context)
    {
        // The tick of a grain's own timer is a call without a caller. It alone is its own target: what came over the wire is given a target here.
        if (ReferenceEquals(context.Request.GetTarget(), context.Request)) return context.Invoke();
        var called = context.Request.GetInterfaceType();
        var caller = secrets.RoleOf(RequestContext.Get(RoleSecrets.ContextKey));
        if (!RoleTable.Admits(caller, called))
        {
            if (_logged.TryAdd((caller, called), true)) Refused(log, caller, called.Name, context.MethodName);

            // Not thrown: the caller is told what it may not do and nothing of where.
            context.Response = Response.FromException(new UnauthorizedAccessException($"A caller of role {Name(caller)} may not call {called.Name}"));
            return Task.CompletedTask;
        }

        // Nothing that a caller put into its call goes on from here: a client's whole context (it can ask for a place of activation, for one), a silo's proof. But for whom the api asks.
        var actor = caller == CallerRoles.Api ? Actor.Current : null;
        if (caller == CallerRoles.Grains) RequestContext.Remove(RoleSecrets.ContextKey);
        else RequestContext.Clear();
        if (actor is not null) Actor.Set(actor);
        return context.Invoke();
    }

    private static string Name(CallerRoles caller) => caller == CallerRoles.None ? "unproven" : caller.ToString().ToLowerInvariant();

    [LoggerMessage(5203, LogLevel.Warning, "refused a call of role {Caller} to {Interface}.{Method}; more of the same are not logged")]
    private static partial void Refused(ILogger logger, CallerRoles caller, string @interface, string method);
}
