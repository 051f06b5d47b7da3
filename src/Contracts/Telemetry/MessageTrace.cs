using System.Buffers.Binary;
using System.Diagnostics;
using Angarium.Mail;

namespace Angarium.Contracts.Telemetry;

/// <summary>
/// Spans of a message's way through the roles. The id of its trace is made of its own id, and from that alone it follows whether it is traced: so no role has to tell another of it, and nothing
/// that is stored or sent has a field for it. The spans of a message stand beside each other, none within another. While nobody listens a call costs the reading of a field. Any thread; spans
/// that were not exported are lost in a crash.
/// </summary>
public static class MessageTrace
{
    public const string SourceName = "Angarium";

    /// <summary>Before the fourteen octets of the message id: a trace's has sixteen.</summary>
    private const ushort Prefix = 0x616E;

    private static readonly ActivitySource s_source = new(SourceName);
    private static ulong s_most = ulong.MaxValue;

    /// <summary>Somebody listens: only then is it worth looking at the messages of a batch.</summary>
    public static bool IsOn => s_source.HasListeners();

    /// <summary>Which share of the messages is traced, from 0 to 1: the same ones in every process that has the same share. Set at start.</summary>
    public static double Share
    {
        set => Volatile.Write(ref s_most, value >= 1 ? ulong.MaxValue : (ulong)(Math.Max(0, value) * ulong.MaxValue));
    }

    public static ActivityTraceId IdOf(RecipientKey message)
    {
        Span<byte> octets = stackalloc byte[sizeof(ushort) + RecipientKey.Size];
        BinaryPrimitives.WriteUInt16BigEndian(octets, Prefix);
        message.Write(octets[sizeof(ushort)..]);
        return ActivityTraceId.CreateFromBytes(octets);
    }

    /// <summary>A span that ends when it is disposed; null = the message is not traced.</summary>
    /// <param name="name">What is done.</param>
    /// <param name="kind">Towards whom.</param>
    /// <param name="message">Whose way it is on.</param>
    /// <param name="since">How long ago it began.</param>
    public static Activity? Begin(string name, ActivityKind kind, MessageId message, TimeSpan since = default)
    {
        if (!s_source.HasListeners() || Hash(message.First) > Volatile.Read(ref s_most)) return null;
        var parent = new ActivityContext(IdOf(message.First), default, ActivityTraceFlags.Recorded);
        return s_source.StartActivity(name, kind, parent, startTime: DateTimeOffset.UtcNow - since)?.SetTag("angarium.message.id", message.ToString());
    }

    // The finisher of SplitMix64: packs and ordinals count upwards.
    private static ulong Hash(RecipientKey key)
    {
        var x = key.Writer ^ ((ulong)key.Pack << 16 | key.Ordinal) * 0x9E3779B97F4A7C15;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }
}
