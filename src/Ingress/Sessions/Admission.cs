using Angarium.Contracts.Admin;
using Angarium.Contracts.Intake;
using Angarium.Mail;

namespace Angarium.Ingress.Sessions;

/// <summary>Whether new mail may be accepted now: the queues' own word, and the recipients that they refused (design rule 23). Any thread; asked before MAIL.</summary>
internal sealed class Admission(IEnumerable<IAdmission> queues, OfferDispatcher? dispatcher) : IAdmission
{
    private readonly IAdmission[] _queues = [.. queues];

    public Reply? Refusal
    {
        get
        {
            foreach (var queue in _queues)
                if (queue.Refusal is { } refusal) return refusal;
            return dispatcher?.Refusal;
        }
    }
}
