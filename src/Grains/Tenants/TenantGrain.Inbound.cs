using Angarium.Contracts.Tenants;
using Angarium.Grains.Inbound;

namespace Angarium.Grains.Tenants;

// The tenant as the owner of inbound domains.
internal sealed partial class TenantGrain
{
    private const int AtOnce = 32;

    public Task<string[]?> ListInbound(string? after, int limit)
    {
        ForgetStrangers();
        return Task.FromResult(_tenant.Facts is null ? null : _tenant.Inbound.SkipWhile(name => after is not null && string.CompareOrdinal(name, after) <= 0).Take(Math.Clamp(limit, 1, TenantRecord.MaxInbound)).ToArray());
    }

    public Task<OwnerStanding> Standing(string domain)
    {
        ForgetStrangers();
        return Task.FromResult(_tenant.Standing(domain));
    }

    public Task<Problem?> EnterInbound(string domain) => _tenant.EnterInboundAsync(domain, CancellationToken.None);

    public Task StrikeInbound(string domain) => _tenant.StrikeInboundAsync(domain, CancellationToken.None);

    public Task NoteInbound(string domain, string action) => _tenant.NoteInboundAsync(domain, action, CancellationToken.None);

    private async Task ReleaseInboundAsync()
    {
        foreach (var some in _tenant.Inbound.Chunk(AtOnce)) await Task.WhenAll(some.Select(domain => GrainFactory.GetGrain<IInboundDomain>(domain).Release(_tenant.Id)));
    }
}
