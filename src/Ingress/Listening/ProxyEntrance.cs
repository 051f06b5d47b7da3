using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using Angarium.Ingress.Sessions;
using Microsoft.Extensions.Logging;

namespace Angarium.Ingress.Listening;

/// <summary>
/// Takes the PROXY header from connections of the networks whose header is believed (`Ingress:ProxyNetworks`), before anything else of them is looked at or answered: there it must be, and is not guessed at
/// (§2 of the specification). What has none, a bad one, or none in time is closed without a word. Any thread; the number of those that wait is all it holds.
/// </summary>
internal sealed partial class ProxyEntrance(TimeProvider time, ILogger log)
{
    /// <summary>§2: at least 3 s, which cover the loss of a segment.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private int _waiting;

    /// <param name="most">Connections that may wait for their header at a time.</param>
    /// <returns>What is now known of the connection; null = it is to be closed.</returns>
    public async ValueTask<ConnectionFacts?> PassAsync(PipeReader input, ConnectionFacts facts, int most)
    {
        using var patience = new CancellationTokenSource(Patience, time);
        try
        {
            if (Interlocked.Increment(ref _waiting) > most) return Refuse(facts, "overload", "too many connections wait for theirs");
            while (true)
            {
                var read = await input.ReadAsync(patience.Token);
                var progress = Read(read.Buffer, out var header, out var length, out var problem);
                if (progress == ProxyProgress.Complete)
                {
                    input.AdvanceTo(read.Buffer.GetPosition(length));
                    IngressInstruments.ProxyHeaders.WithLabels(header.Origin.ToString().ToLowerInvariant()).Inc();
                    return header.Origin switch
                    {
                        ProxyOrigin.Relayed => facts with { Remote = header.Client! },
                        ProxyOrigin.Local => facts,
                        _ => facts with { IsAnonymous = true },
                    };
                }

                var isOver = read.IsCompleted || read.IsCanceled;
                var isEmpty = read.Buffer.IsEmpty;
                input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                if (progress == ProxyProgress.Malformed) return Refuse(facts, "malformed", problem);
                // A look whether somebody listens, as balancers that only connect do.
                if (isOver) return Refuse(facts, isEmpty ? "closed" : "malformed", "the connection ended before it");
            }
        }
        catch (OperationCanceledException)
        {
            return Refuse(facts, "late", $"none within {Patience.TotalSeconds:0} s");
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    private static ProxyProgress Read(ReadOnlySequence<byte> buffer, out ProxyHeader header, out int length, out string problem)
    {
        if (buffer.IsSingleSegment) return ProxyHeader.Read(buffer.FirstSpan, out header, out length, out problem);
        Span<byte> copy = stackalloc byte[ProxyHeader.MaxLength];
        var head = buffer.Slice(0, Math.Min(buffer.Length, copy.Length));
        head.CopyTo(copy);
        return ProxyHeader.Read(copy[..(int)head.Length], out header, out length, out problem);
    }

    private ConnectionFacts? Refuse(ConnectionFacts facts, string result, string reason)
    {
        IngressInstruments.ProxyHeaders.WithLabels(result).Inc();
        HeaderRefused(log, facts.Remote.Address, reason);
        return null;
    }

    [LoggerMessage(3070, LogLevel.Debug, "A connection of {Proxy} was closed for its PROXY header: {Reason}")]
    private static partial void HeaderRefused(ILogger logger, IPAddress proxy, string reason);
}
