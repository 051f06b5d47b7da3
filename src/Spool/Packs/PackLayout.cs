using System.Text;
using Angarium.Mail;

namespace Angarium.Spool.Packs;

/// <summary>Lays out messages in a birth pack: ordinals are consecutive within a message, in the order of its domains; entries are in the order of domains. Pure.</summary>
internal static class PackLayout
{
    public static List<EntryDraft> Of(PackId pack, List<NewMessage> messages, out MessageId[] ids)
    {
        ids = new MessageId[messages.Count];
        var drafts = new List<EntryDraft>(messages.Count);
        var ordinal = 0;
        for (var m = 0; m < messages.Count; m++)
        {
            var message = messages[m];
            var id = ids[m] = new MessageId(pack.Recipient(checked((ushort)ordinal)));
            var body = new BodyDraft
            {
                Bytes = message.Content, Tail = message.Scratch, IsEightBit = message.Scratch?.IsEightBit ?? !Ascii.IsValid(message.Content.Span),
            };
            var order = Order(message.Domains);
            for (var from = 0; from < message.Domains.Count;)
            {
                var domain = message.Domains[order is null ? from : order[from]];
                var to = from + 1;
                while (to < message.Domains.Count && message.Domains[order is null ? to : order[to]] == domain) to++;
                drafts.Add(new EntryDraft
                {
                    Envelope = message.Envelope,
                    Picks = order is null && from == 0 && to == message.Domains.Count ? null : order is null ? [.. Enumerable.Range(from, to - from)] : order[from..to],
                    Keys = new KeyRun(pack, checked((ushort)(ordinal + from)), to - from),
                    Domain = domain,
                    Message = id,
                    Trace = message.Trace,
                    IdOffset = message.IdOffset,
                    Body = body,
                });
                from = to;
            }

            ordinal += message.Domains.Count;
        }

        if (drafts.Count > 1) return [.. drafts.OrderBy(d => d.Domain, StringComparer.Ordinal)];
        return drafts;
    }

    /// <summary>Indexes of the recipients by domain, those of one domain in the order given; null = they are in order already.</summary>
    private static int[]? Order(IReadOnlyList<string> domains)
    {
        var sorted = true;
        for (var i = 1; i < domains.Count && sorted; i++) sorted = string.CompareOrdinal(domains[i - 1], domains[i]) <= 0;
        return sorted ? null : [.. Enumerable.Range(0, domains.Count).OrderBy(i => domains[i], StringComparer.Ordinal)];
    }
}
