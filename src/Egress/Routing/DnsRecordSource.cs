using Angarium.Contracts.Routing;

namespace Angarium.Egress.Routing;

/// <summary>What tenants publish, by the servers that routing asks, and never from a cache: whoever has just published something wants to see it. Any thread.</summary>
internal sealed class DnsRecordSource(IDnsSource dns) : IRecordSource
{
    public async Task<IReadOnlyList<string>?> TextAsync(string name, CancellationToken cancellationToken)
    {
        var answer = await dns.QueryAsync(name, DnsKind.Txt, cancellationToken);
        return answer.Status == DnsStatus.Trouble ? null : answer.Texts;
    }
}
