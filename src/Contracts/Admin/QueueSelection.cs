using Angarium.Mail;

namespace Angarium.Contracts.Admin;

/// <summary>What of a domain's queue an order is for: what both name; all of it where neither is said. A value.</summary>
/// <param name="Message">By the key of its first recipient.</param>
/// <param name="Tenant">Whose mail.</param>
[GenerateSerializer, Immutable, Alias("angarium.QueueSelection")]
public readonly record struct QueueSelection([property: Id(0)] RecipientKey? Message, [property: Id(1)] string? Tenant)
{
    public bool IsAll => Message is null && Tenant is null;

    public bool Has(RecipientKey message, string tenant) => (Message is null || Message == message) && (Tenant is null || Tenant == tenant);

    public static implicit operator QueueSelection(RecipientKey? message) => new(message, null);
}
