using Angarium.Grains.DomainQueues;

namespace Angarium.Grains.Sweep;

/// <summary>How the sweep reaches a domain's queue. False, or any exception = not taken now; it is offered again.</summary>
internal interface ISweepOffers
{
    Task<bool> OfferAsync(string domain, SweptOffer offer);
}
