using System.Text;
using Angarium.Mail;
using Angarium.Spool.Packs;

namespace Angarium.TestKit.Peers;

/// <summary>A spooled entry in memory, read in parts of a given size; it may turn out damaged at its end, or run a hook before each part.</summary>
public sealed class MemoryEntry(Envelope envelope, byte[] content, int part = int.MaxValue, bool damaged = false, Action<int>? beforePart = null) : SpooledEntry
{
    private int at, parts;

    public bool IsDisposed { get; private set; }

    public override Envelope Envelope => envelope;

    public override IReadOnlyList<RecipientKey> Keys { get; } = [.. Enumerable.Range(0, envelope.Recipients.Count).Select(i => new RecipientKey(1, 1, (ushort)i))];

    public override MessageId Message => new(Keys[0]);

    public override string Domain { get; } = envelope.Recipients[0].Address is var first ? first[(first.LastIndexOf('@') + 1)..] : "";

    public override long ContentLength => content.Length;

    public override bool ContentIsEightBit { get; } = content.Any(octet => octet > 127);

    public static MemoryEntry Of(string from, string to, string content, Func<Envelope, Envelope>? change = null, int part = int.MaxValue, bool damaged = false, Action<int>? beforePart = null)
    {
        var envelope = new Envelope { ReversePath = from, Recipients = [.. to.Split(',').Select(address => new EnvelopeRecipient(address))] };
        return new MemoryEntry(change?.Invoke(envelope) ?? envelope, Encoding.Latin1.GetBytes(content), part, damaged, beforePart);
    }

    /// <summary>The same entry, to be read from its start.</summary>
    public MemoryEntry Reopen() => new(envelope, content, part, damaged, beforePart);

    public override ValueTask<ReadOnlyMemory<byte>> ReadAsync(CancellationToken cancellationToken)
    {
        beforePart?.Invoke(parts++);
        if (at == content.Length && damaged) throw new InvalidDataException("damaged");
        var next = content.AsMemory(at, Math.Min(part, content.Length - at));
        at += next.Length;
        return new ValueTask<ReadOnlyMemory<byte>>(next);
    }

    public override void Dispose() => IsDisposed = true;
}
