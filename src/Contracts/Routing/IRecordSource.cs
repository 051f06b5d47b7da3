namespace Angarium.Contracts.Routing;

/// <summary>The seam through which silos look up what tenants publish. Any thread; nothing of it throws but for cancellation.</summary>
public interface IRecordSource
{
    /// <summary>The TXT records of a name, each with its strings joined (RFC 7208 §3.3); empty = there are none; null = the DNS did not answer.</summary>
    Task<IReadOnlyList<string>?> TextAsync(string name, CancellationToken cancellationToken);

    /// <summary>Where mail for a name goes: the name that it is an alias of, else its MX hosts; lower case, without a final dot; empty = nowhere; null = the DNS did not answer.</summary>
    Task<IReadOnlyList<string>?> MailHostsAsync(string name, CancellationToken cancellationToken);
}
