using Angarium.Mail;

namespace Angarium.Contracts.Admin;

/// <summary>What an operator asks of the whole node: which domains have mail. Implemented by Grains.</summary>
public interface IQueueDirectory
{
    /// <summary>Domains with queued recipients on this silo or in the index, with their counts, largest first.</summary>
    Task<IReadOnlyList<(string Domain, long Queued)>> ListDomainsAsync(int limit, CancellationToken cancellationToken);

    /// <summary>The domain in whose queue a message's recipients are: all that hold some of it.</summary>
    Task<IReadOnlyList<string>> FindMessageAsync(RecipientKey message, CancellationToken cancellationToken);
}
