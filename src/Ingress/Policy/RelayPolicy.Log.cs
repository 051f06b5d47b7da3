using Microsoft.Extensions.Logging;

namespace Angarium.Ingress.Policy;

internal sealed partial class RelayPolicy
{
    [LoggerMessage(3020, LogLevel.Information, "Recipients of {Domain}: {Count}, from {File}")]
    private partial void ListTaken(string domain, int count, string file);

    [LoggerMessage(3021, LogLevel.Error, "Recipients of {Domain} cannot be read again, the old list stays: {Reason}")]
    private partial void ListKept(string domain, string reason);

    [LoggerMessage(3023, LogLevel.Error, "Changed networks and domains cannot be taken over, the old ones stay: {Reason}")]
    private partial void RulesKept(string reason);

    [LoggerMessage(3022, LogLevel.Warning, "Neither Ingress:TrustedNetworks nor Ingress:Domains is set: nothing will be relayed")]
    private partial void NothingRelayed();
}
