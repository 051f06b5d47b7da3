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

    public async Task<IReadOnlyList<string>?> MailHostsAsync(string name, CancellationToken cancellationToken)
    {
        var alias = await dns.QueryAsync(name, DnsKind.Cname, cancellationToken);
        if (alias.Status == DnsStatus.Trouble) return null;
        if (alias.Alias is { } target) return [target];
        var hosts = await dns.QueryAsync(name, DnsKind.Mx, cancellationToken);
        return hosts.Status == DnsStatus.Trouble ? null : [.. hosts.Mx.OrderBy(one => one.Preference).Select(one => one.Host).OfType<string>().Where(host => host.Length > 0)];
    }
}
