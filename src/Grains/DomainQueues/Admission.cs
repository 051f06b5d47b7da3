using Angarium.Contracts.Admin;
using Angarium.Grains.Index;
using Angarium.Mail;

namespace Angarium.Grains.DomainQueues;

/// <summary>Refuses new mail while the index has no room (design rule 23). Any thread; no state.</summary>
internal sealed class Admission(IIndexTotals index) : IAdmission
{
    private static readonly Reply Full = new(452, new EnhancedStatus(4, 3, 1), "Too much mail is queued, try again later");

    public Reply? Refusal => index.IsFull ? Full : null;
}
