using System.Collections.Concurrent;
using System.Text.Json;
using Angarium.Grains.Membership;
using Angarium.Spool.Documents;

namespace Angarium.Grains.EgressPools;

/// <summary>
/// The workers that a pool has given permits to (design rule 21): a document that outlives silos; where all roles are one process, a list that lives and dies
/// with the process, as the workers do. Any thread.
/// </summary>
internal sealed class WorkerRegister(IDocumentStore documents, IStanding standing)
{
    private readonly ConcurrentDictionary<string, string[]> _here = [];

    public async Task<IReadOnlyList<string>> LoadAsync(string pool, CancellationToken cancellationToken)
    {
        if (standing.IsSoleProcess) return _here.GetValueOrDefault(pool, []);
        return await documents.ReadAsync(Name(pool), cancellationToken) is { } document ? JsonSerializer.Deserialize<string[]>(document.Content.Span) ?? [] : [];
    }

    /// <summary>Makes the list durable. Another activation of the pool may write too: the union of both lists is safe, since a dead worker costs 35 s of waiting and no more.</summary>
    /// <exception cref="IOException">Not durable: the new workers get nothing yet.</exception>
    public async Task SaveAsync(string pool, IReadOnlyCollection<string> workers, CancellationToken cancellationToken)
    {
        if (standing.IsSoleProcess)
        {
            _here[pool] = [.. workers];
            return;
        }

        var tag = (await documents.ReadAsync(Name(pool), cancellationToken))?.Tag;
        if (await documents.WriteAsync(Name(pool), JsonSerializer.SerializeToUtf8Bytes(workers), tag, cancellationToken) is null)
            throw new IOException($"The list of workers of pool {pool} was changed by somebody else.");
    }

    private static string Name(string pool) => "pools/" + Convert.ToHexStringLower(System.Text.Encoding.UTF8.GetBytes(pool));
}
