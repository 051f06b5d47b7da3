using Angarium.Contracts.Inbound;

namespace Angarium.Ingress.Inbound;

/// <summary>How a recipient of a domain that is not configured stands; or it cannot be told now.</summary>
internal readonly record struct InboundVerdict(InboundAnswer Answer, bool IsUnreachable);

/// <summary>The seam through which sessions ask whether strangers' mail for a recipient is taken, by what tenants have said of their inbound domains. Any thread; nothing of it throws.</summary>
internal interface IInboundRecipients
{
    /// <param name="domain">The queue domain.</param>
    /// <param name="mailbox">The local part that is meant, without quotes.</param>
    ValueTask<InboundVerdict> JudgeAsync(string domain, string mailbox);
}
