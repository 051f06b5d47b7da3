using System.Net;
using System.Net.Sockets;
using System.Threading.RateLimiting;

namespace Angarium.Api.Callers;

/// <summary>
/// Requests with keys that are none, by network (an IPv4 /24, an IPv6 /48): who sends too many of them is asked for no key any more, so that guessing costs the silos nothing. Any thread; gone with
/// the process, and networks that are quiet are forgotten.
/// </summary>
internal sealed class Strangers : IDisposable
{
    /// <summary>Of one network; so many more may come at once.</summary>
    public const int PerSecond = 20, AtOnce = 200;

    private readonly Allowances<IPAddress, IPAddress> _limits = new(client => RateLimitPartition.GetTokenBucketLimiter(Network(client), _ => new TokenBucketRateLimiterOptions
    {
        TokensPerPeriod = PerSecond, TokenLimit = AtOnce, ReplenishmentPeriod = TimeSpan.FromSeconds(1), AutoReplenishment = true,
    }));

    public bool MayTry(IPAddress? client) => _limits.TryTake(client ?? IPAddress.None, permits: 0);

    public void Failed(IPAddress? client) => _limits.TryTake(client ?? IPAddress.None);

    public void Dispose() => _limits.Dispose();

    private static IPAddress Network(IPAddress client)
    {
        if (client.IsIPv4MappedToIPv6) client = client.MapToIPv4();
        var octets = client.GetAddressBytes();
        octets.AsSpan(client.AddressFamily == AddressFamily.InterNetwork ? 3 : 6).Clear();
        return new IPAddress(octets);
    }
}
