namespace Angarium.Contracts.Inbound;

/// <summary>
/// Whose mail from the internet a recipient's is, by what tenants have said of their inbound domains. Key: 0; answered by whichever silo is asked, without reading anything for a domain that is
/// nobody's, so that strangers cost little however many names they guess. Role: ingress.
/// </summary>
[Alias("angarium.IInboundDirectory")]
public interface IInboundDirectory : IGrainWithIntegerKey
{
    /// <param name="domain">The queue domain.</param>
    /// <param name="mailbox">The local part that is meant, without quotes.</param>
    [Alias("Judge")]
    Task<InboundAnswer> Judge(string domain, string mailbox);
}

/// <summary>How a recipient stands. Numbers cross the wire.</summary>
public enum InboundStanding : byte
{
    /// <summary>The relay takes no mail for it: the domain is no inbound domain, or the local part asks to be relayed elsewhere.</summary>
    Nobodys = 0,

    Accepted = 1,

    /// <summary>The domain is one, and has no such recipient.</summary>
    Unknown = 2,

    /// <summary>Its tenant is paused.</summary>
    Paused = 3,

    /// <summary>There is no inbound domain at all: nothing needs to be asked for a while.</summary>
    NoDomains = 4,
}

/// <summary>How a recipient stands, and whose it is; of nobody's the tenant is empty. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.InboundAnswer")]
public readonly record struct InboundAnswer([property: Id(0)] InboundStanding Standing, [property: Id(1)] string Tenant)
{
    public static InboundAnswer Nobodys => new(InboundStanding.Nobodys, "");

    public static InboundAnswer NoDomains => new(InboundStanding.NoDomains, "");
}
