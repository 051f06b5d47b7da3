using Angarium.Mail;

namespace Angarium.Grains.Control;

/// <summary>
/// Holds of domains and messages, and suspensions set by operators, as documents with compare-and-swap (design rule 20): loaded before an activation's first
/// grant, pushed on change; they outlive processes and index.
/// </summary>
public interface IControlDocuments
{
    Task<DomainControl> LoadAsync(string domain, CancellationToken cancellationToken);

    /// <summary>Changes when somebody has changed the domain's document, as far as this silo has heard (within some 10 s): what was loaded before counts no more. Cheap.</summary>
    long Version(string domain) => 0;

    /// <summary>Applies the change and writes it durably; returns what is now in force.</summary>
    /// <exception cref="IOException">Not written, or not known; or this silo may be none any more.</exception>
    Task<DomainControl> ChangeAsync(string domain, Func<DomainControl, DomainControl> change, CancellationToken cancellationToken);
}

/// <summary>What operators (or rule 17) have ordered for a domain's queue.</summary>
public sealed record DomainControl
{
    public static DomainControl None { get; } = new();

    public bool Held { get; init; }

    /// <summary>Held messages, by the key of their first recipient. At most 10,000.</summary>
    public IReadOnlySet<RecipientKey> HeldMessages { get; init; } = new HashSet<RecipientKey>();
}
