using Angarium.Egress;
using Angarium.Ingress;

namespace Angarium.Host.Configuration;

/// <summary>The rule between the waits of a stop, which follow each other: transactions in, transactions out, and then what is left (cut sessions report, the silo and the stores close). Pure.</summary>
internal static class ShutdownBudget
{
    private static readonly TimeSpan s_rest = TimeSpan.FromSeconds(10);

    public static IEnumerable<string> Validate(IReadOnlyDictionary<Type, object> records)
    {
        if (!records.TryGetValue(typeof(RelayOptions), out var relay) || !records.TryGetValue(typeof(IngressOptions), out var ingress) || !records.TryGetValue(typeof(EgressOptions), out var egress)) yield break;
        var least = ((IngressOptions)ingress).Drain + ((EgressOptions)egress).DrainTimeout + s_rest;
        if (((RelayOptions)relay).ShutdownTimeout < least)
            yield return $"Shutdown:Timeout: is too short for Ingress:Drain and Egress:DrainTimeout, which follow each other; set it to at least {least.TotalSeconds:0.###}s (10s more than both), or shorten them.";
    }
}
