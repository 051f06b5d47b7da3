using System.Text;
using Angarium.Mail;
using Angarium.Spool.Packs;

namespace Angarium.TestKit.Storage;

/// <summary>Messages to store in tests.</summary>
public static class Mails
{
    public static NewMessage To(string content, params string[] recipients) => To(Encoding.Latin1.GetBytes(content), recipients);

    public static NewMessage To(byte[] content, params string[] recipients) => new()
    {
        Envelope = new Envelope
        {
            ReversePath = "sender@example.org", NoticesAllowed = true, Accepted = new StoreTime(1_800_000_000_000),
            Recipients = [.. recipients.Select(r => new EnvelopeRecipient(r))],
        },
        Domains = [.. recipients.Select(r => r[(r.LastIndexOf('@') + 1)..])],
        Trace = Encoding.ASCII.GetBytes("Received: from x by y id " + new string('_', 23) + ";\r\n"),
        IdOffset = 25,
        Content = content,
    };

    /// <summary>What a receiver gets of it.</summary>
    public static byte[] Sent(NewMessage message, MessageId id)
    {
        var trace = message.Trace.ToArray();
        if (message.IdOffset >= 0) Encoding.ASCII.GetBytes(id.ToString(), trace.AsSpan(message.IdOffset));
        return [.. trace, .. message.Content.Span];
    }

    public static async Task<byte[]> ContentAsync(SpooledEntry entry)
    {
        var all = new List<byte>();
        for (; ; )
        {
            var part = await entry.ReadAsync(CancellationToken.None);
            if (part.IsEmpty) return [.. all];
            all.AddRange(part.Span);
        }
    }
}
