using Angarium.Contracts.DomainQueues;
using Angarium.Contracts.Intake;
using Angarium.Mail;
using Angarium.Spool.Packs;

namespace Angarium.Ingress.HandOver;

/// <summary>Passes each durable pack on to the hand-over. On the writer's thread; returns at once; nothing survives a crash (the sweep offers the pack).</summary>
internal sealed class CommitHandOver(OfferDispatcher dispatcher) : ICommitListener
{
    public void OnCommitted(CommittedPack pack)
    {
        var entries = new DomainEntry[pack.Entries.Count];
        var (tenant, recipients) = ("", 0);
        for (var i = 0; i < entries.Length; i++)
        {
            var entry = pack.Entries[i];
            entries[i] = new DomainEntry(entry.Domain, new OfferedEntry
            {
                Offset = entry.Offset,
                Length = entry.Length,
                Tenant = entry.Tenant,
                Class = entry.Class,
                Keys = entry.Keys as RecipientKey[] ?? [.. entry.Keys],
                Born = entry.Born,
                NotBefore = entry.NotBefore,
                Message = entry.Message.First,
            });
            if (entry.Tenant != tenant)
            {
                if (recipients > 0) IngressInstruments.Committed(tenant, recipients);
                (tenant, recipients) = (entry.Tenant, 0);
            }

            recipients += entry.Keys.Count;
        }

        if (recipients > 0) IngressInstruments.Committed(tenant, recipients);

        dispatcher.Post(PackName.Birth(pack.Id), pack.CommitBegan, entries);
    }
}
