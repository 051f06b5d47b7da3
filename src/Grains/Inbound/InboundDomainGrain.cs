using Angarium.Contracts.Inbound;
using Angarium.Contracts.Routing;
using Orleans.Concurrency;
using Orleans.Placement;

namespace Angarium.Grains.Inbound;

/// <summary>Shell of <see cref="InboundDomain"/>: one call at a time. One that is nobody's does not stay. Nothing but the document survives a crash.</summary>
[GrainType("inbound-domain"), RandomPlacement]
internal sealed class InboundDomainGrain(InboundSeams seams) : Grain, IInboundDomain, IInboundDomainAdmin
{
    private InboundDomain _domain = null!;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _domain = new InboundDomain(this.GetPrimaryKeyString(), seams);
        return Task.CompletedTask;
    }

    public Task<InboundAnswer> Judge(string mailbox) => Then(_domain.JudgeAsync(mailbox, CancellationToken.None));

    public Task<string?> Site() => Then(_domain.SiteAsync(CancellationToken.None));

    public Task Release(string tenant) => _domain.ReleaseAsync(tenant, CancellationToken.None);

    public Task<InboundResult> Add(InboundDraft draft) => Then(_domain.AddAsync(draft, CancellationToken.None));

    public Task<InboundResult> Read(string tenant) => Then(_domain.ReadAsync(tenant, CancellationToken.None));

    public Task<InboundResult> Change(InboundChange change) => Then(_domain.ChangeAsync(change, CancellationToken.None));

    public Task<InboundResult> Remove(string tenant) => Then(_domain.RemoveAsync(tenant, CancellationToken.None));

    public Task<string[]?> Recipients(string tenant, string? after, int limit) => Then(_domain.RecipientsAsync(tenant, after, limit, CancellationToken.None));

    public Task<InboundResult> AddRecipients(string tenant, string[] recipients) => Then(_domain.AddRecipientsAsync(tenant, recipients, CancellationToken.None));

    public Task<InboundResult> RemoveRecipient(string tenant, string recipient) => Then(_domain.RemoveRecipientAsync(tenant, recipient, CancellationToken.None));

    private async Task<T> Then<T>(Task<T> work)
    {
        try
        {
            return await work;
        }
        finally
        {
            if (_domain.IsNobodys) DeactivateOnIdle();
        }
    }
}

/// <summary>Answers for domains that nobody has from memory; others are asked. No state.</summary>
[GrainType("inbound-directory"), StatelessWorker, Reentrant]
internal sealed class InboundDirectoryGrain(InboundNames names) : Grain, IInboundDirectory
{
    public Task<InboundAnswer> Judge(string domain, string mailbox) => names.IsEmpty ? Task.FromResult(InboundAnswer.NoDomains)
        : names.MayHave(domain) ? GrainFactory.GetGrain<IInboundDomain>(domain).Judge(mailbox) : Task.FromResult(InboundAnswer.Nobodys);
}

/// <summary>Routes of inbound domains, by grain. Any thread; no state.</summary>
internal sealed class InboundRoutes(InboundNames names, IGrainFactory grains) : IInboundRoutes
{
    public bool MayName(string domain) => names.MayHave(domain);

    public async ValueTask<InboundRoute?> FindAsync(string domain, CancellationToken cancellationToken) =>
        await grains.GetGrain<IInboundDomain>(domain).Site() is { } site ? InboundRoute.OfSite(site) : null;
}
