using System.Net;
using Angarium.Egress.Routing;

namespace Angarium.Egress.Webhooks;

/// <summary>A host of a webhook leads nowhere that may be connected to.</summary>
/// <param name="message">Why, for people.</param>
/// <param name="isForbidden">It has addresses, and none is allowed.</param>
internal sealed class NoWebhookAddressException(string message, bool isForbidden) : IOException(message)
{
    public bool IsForbidden { get; } = isForbidden;
}

/// <summary>
/// The addresses at which a tenant's webhook may be: public ones only, and none of this machine's, unless the operator allows others. Asked anew for each connection, and what is judged here is what is
/// connected to: a name that changes in between (DNS rebinding) gains nothing. What DNS says is hostile. Any thread; no state.
/// </summary>
internal sealed class WebhookAddresses(IDnsSource dns, bool allowPrivate, Func<IReadOnlySet<IPAddress>> own)
{
    /// <summary>Those beyond are not tried.</summary>
    public const int Most = 4;

    private const int MaxAliases = 8;

    /// <exception cref="NoWebhookAddressException">There is none.</exception>
    public async Task<IReadOnlyList<IPAddress>> FindAsync(string host, CancellationToken cancellationToken)
    {
        var bare = host.Trim('[', ']');
        var found = IPAddress.TryParse(bare, out var literal) ? [literal] : await LookUpAsync(bare, cancellationToken);
        if (found.Count == 0) throw new NoWebhookAddressException("its host has no address", isForbidden: false);
        var usable = found.Where(MayBe).Take(Most).ToList();
        return usable.Count > 0 ? usable : throw new NoWebhookAddressException("the address of its host is not public", isForbidden: true);
    }

    private bool MayBe(IPAddress address) => allowPrivate || (AddressPolicy.IsPublic(address) && !own().Contains(address));

    private async Task<IReadOnlyList<IPAddress>> LookUpAsync(string host, CancellationToken cancellationToken)
    {
        if (DnsName.Normalize(host) is not { } name) return [];
        // Names of the hosts file and of the search list are the operator's own.
        if (allowPrivate && await dns.SystemAddressesAsync(name, cancellationToken) is { Count: > 0 } known) return known;
        var six = FollowAsync(name, DnsKind.Aaaa, cancellationToken);
        var four = await FollowAsync(name, DnsKind.A, cancellationToken);
        var answers = (Six: await six, Four: four);
        IPAddress[] all = [.. answers.Four.Addresses, .. answers.Six.Addresses];
        if (all.Length == 0 && (answers.Six.Status == DnsStatus.Trouble || answers.Four.Status == DnsStatus.Trouble)) throw new NoWebhookAddressException("the name of its host could not be looked up", isForbidden: false);
        return all;
    }

    private async Task<DnsAnswer> FollowAsync(string name, DnsKind kind, CancellationToken cancellationToken)
    {
        for (var i = 0; i < MaxAliases; i++)
        {
            var answer = await dns.QueryAsync(name, kind, cancellationToken);
            if (answer.Alias is not { } alias) return answer;
            name = alias;
        }

        return DnsAnswer.Trouble("the aliases do not end");
    }
}
