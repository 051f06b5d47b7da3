using Angarium.Spool.Documents;
using Microsoft.Extensions.Logging;

namespace Angarium.Host.Cluster;

/// <summary>
/// The membership document in the document store, read and changed by compare-and-swap. It remembers the newest version this process has seen, and so heals the document: one that is
/// gone or was rolled back is put back from memory (by whoever may write), never believed. Any thread, no lock across a wait; only the memory is lost in a crash, and the others have it too.
/// </summary>
internal sealed partial class MembershipStore(IDocumentStore documents, string cluster, bool mayWrite, TimeProvider time, ILogger<MembershipStore> log)
{
    /// <summary>Every silo writes its time every few seconds: a try loses the race now and then, never this often.</summary>
    private const int MaxTries = 40;

    /// <summary>Longest wait for one call of the store.</summary>
    private static readonly TimeSpan s_callTimeout = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(500);

    private readonly Lock _gate = new();
    private MembershipDocument? _remembered;

    /// <summary>A document was read or written, and when that began. On the thread that did it; must return at once.</summary>
    public event Action<MembershipDocument, ReadMoment>? Seen;

    /// <summary>The newest version that was seen; -1 = none.</summary>
    public int Version => Remembered?.Version ?? -1;

    /// <summary>The document; null = there is none, and this process never saw one.</summary>
    /// <exception cref="IOException">It cannot be read, or (for who may not write) it is gone or was rolled back.</exception>
    public async Task<MembershipDocument?> ReadAsync() => (await LoadAsync()).Document;

    /// <summary>
    /// Before the first use by a silo. A new silo that finds nothing cannot tell a new cluster from a document that was deleted: it waits <paramref name="patience"/>, longer than living
    /// silos take to put theirs back, before it makes an empty one.
    /// </summary>
    public async Task InitializeAsync(TimeSpan patience)
    {
        var began = time.GetTimestamp();
        while ((await LoadAsync()).Document is null)
        {
            var left = patience - time.GetElapsedTime(began);
            if (left > TimeSpan.Zero) await Task.Delay(left < s_look ? left : s_look, time);
            else await WriteAsync(MembershipDocument.Empty(cluster), tag: null);
        }
    }

    /// <summary>Applies <paramref name="change"/> to the newest document until it is written. False = the change refused it (returned null).</summary>
    public async Task<bool> ChangeAsync(Func<MembershipDocument, MembershipDocument?> change)
    {
        for (var tries = 0; tries < MaxTries; tries++)
        {
            var (document, tag) = await LoadAsync();
            if (document is null) throw new IOException($"The document {MembershipDocument.Name} is not there");
            if (change(document) is not { } changed) return false;
            if (await WriteAsync(changed, tag)) return true;
            await PauseAsync(tries);
        }

        throw new IOException($"The document {MembershipDocument.Name} is changed by others all the time");
    }

    public async Task DeleteAsync()
    {
        lock (_gate) _remembered = null;
        await AskAsync(async stop =>
        {
            await documents.DeleteAsync(MembershipDocument.Name, stop);
            return true;
        });
    }

    private async Task<(MembershipDocument? Document, string? Tag)> LoadAsync()
    {
        for (var tries = 0; tries < MaxTries; tries++)
        {
            // Taken before the read: a version that is lower than one seen before the read began was rolled back; one seen since may only have been newer than the read.
            var known = Remembered;
            var began = ReadMoment.Now(time);
            var read = await AskAsync(stop => documents.ReadAsync(MembershipDocument.Name, stop));
            var document = read is null ? null : MembershipDocument.Decode(read.Content, cluster);
            if (document?.Version >= (known?.Version ?? 0))
            {
                See(document, began);
                return (document, read!.Tag);
            }

            if (known is null) return (null, null);
            var trouble = document is null ? "is gone" : $"was rolled back to version {document.Version}";
            if (!mayWrite) throw new IOException($"The document {MembershipDocument.Name} {trouble}; version {known.Version} was seen");
            PuttingBack(log, MembershipDocument.Name, trouble, known.Version);

            // Others may do the same from what they remember; whoever knows the newest version has the last word.
            if (await WriteAsync(known, read?.Tag)) continue;
            await PauseAsync(tries);
        }

        throw new IOException($"The document {MembershipDocument.Name} could not be put back");
    }

    private async Task<T> AskAsync<T>(Func<CancellationToken, Task<T>> call)
    {
        using var patience = new CancellationTokenSource(s_callTimeout, time);
        try
        {
            return await call(patience.Token);
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested)
        {
            // Without the cause, which says nothing: a start that ends by this is told in one line.
            throw new IOException($"The document {MembershipDocument.Name}: the store does not answer within {s_callTimeout.TotalSeconds} s");
        }
    }

    private MembershipDocument? Remembered
    {
        get
        {
            lock (_gate) return _remembered;
        }
    }

    private async Task<bool> WriteAsync(MembershipDocument document, string? tag)
    {
        if (!mayWrite) throw new InvalidOperationException("This process may not write the membership document.");
        var began = ReadMoment.Now(time);
        if (await AskAsync(stop => documents.WriteAsync(MembershipDocument.Name, document.Encode(), tag, stop)) is null) return false;
        See(document, began);
        return true;
    }

    private void See(MembershipDocument document, ReadMoment began)
    {
        lock (_gate)
        {
            if (_remembered is null || document.Version >= _remembered.Version)
            {
                _remembered = document;
                MembershipInstruments.Seen(document);
            }
        }

        Seen?.Invoke(document, began);
    }

    private Task PauseAsync(int tries) => Task.Delay(TimeSpan.FromMilliseconds(Random.Shared.Next(5, 20 + 10 * Math.Min(tries, 10))), time);

    [LoggerMessage(5200, LogLevel.Warning, "the document {Name} {Trouble}: putting back version {Version}")]
    private static partial void PuttingBack(ILogger logger, string name, string trouble, int version);
}
