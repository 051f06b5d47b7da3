using Angarium.Contracts.Inbound;
using Angarium.Contracts.Routing;
using Angarium.Contracts.Tenants;
using Angarium.Mail.Addresses;
using Angarium.Spool.Documents;

namespace Angarium.Grains.Inbound;

/// <summary>
/// One inbound domain: its document, changed by compare-and-swap, and what follows from it and from its tenant: whose mail is taken, for whom, and where it goes. In force only while its tenant
/// exists and has it verified (or an administrator vouched for it): else it is nobody's, and may become another's. One call at a time, on its grain's turns. A crash loses nothing that was answered.
/// </summary>
internal sealed class InboundDomain(string domain, InboundSeams seams)
{
    /// <summary>How long what the tenant said last counts.</summary>
    private static readonly TimeSpan s_standingLasts = TimeSpan.FromSeconds(5);

    /// <summary>The document is looked at again after that: an activation that others know nothing of must not go on for ever with what it has.</summary>
    private static readonly TimeSpan s_readLasts = TimeSpan.FromSeconds(30);

    private static readonly InboundResult s_notFound = Problem(ProblemKind.NotFound, "domain", "There is no such thing, or it is not yours.");

    private InboundRecord? _record;
    private string? _tag;
    private long? _readAt, _heardAt;
    private OwnerStanding _standing;

    /// <summary>Nobody has it, as far as is known.</summary>
    public bool IsNobodys => _record is not { Tenant.Length: > 0 };

    private string Name => InboundNames.DocumentOf(domain);

    public async Task<InboundAnswer> JudgeAsync(string mailbox, CancellationToken cancellationToken)
    {
        if (await InForceAsync(cancellationToken) is not { } record) return InboundAnswer.Nobodys;
        var standing = _standing.IsPaused ? InboundStanding.Paused : record.Judge(mailbox);
        return standing == InboundStanding.Nobodys ? InboundAnswer.Nobodys : new InboundAnswer(standing, record.Tenant);
    }

    /// <summary>Null = by MX.</summary>
    public async Task<string?> SiteAsync(CancellationToken cancellationToken) =>
        await InForceAsync(cancellationToken) is { Route.Length: > 0 } record && InboundRoute.TryParse(record.Route, record.IsPrivate, out var route) ? route.Site : null;

    public async Task<InboundResult> AddAsync(InboundDraft draft, CancellationToken cancellationToken)
    {
        var owner = seams.Owner(draft.Tenant);
        var asked = await owner.Standing(domain);
        if (!asked.Exists) return s_notFound;
        if (!asked.Owns && !draft.ByAdministrator) return Problem(ProblemKind.Invalid, "domain", "It is not a verified domain of this tenant: add it as a sending domain, publish its records, and verify it.");
        if (await RefuseRouteAsync(draft.Route, draft.IsPrivate, cancellationToken) is { } unfit) return unfit;
        var recipients = Sorted(draft.Recipients ?? [], out var wrong);
        if (wrong is not null) return wrong;

        // Whoever has it and may have it keeps it; who that is, is nobody's business.
        if (await InForceAsync(cancellationToken) is { } taken && taken.Tenant != draft.Tenant) return Problem(ProblemKind.Conflict, "domain", "It cannot be had.");
        if (_record?.Tenant == draft.Tenant) return Problem(ProblemKind.Conflict, "domain", "It is an inbound domain of this tenant already.");
        // First into the tenant's list, where one that came to nothing does no harm.
        if (await owner.EnterInbound(domain) is { } full) return new InboundResult { Problem = full };
        await WriteAsync(new InboundRecord
        {
            Domain = domain, Tenant = draft.Tenant, Created = seams.Time.GetUtcNow(), Changes = (_record?.Changes ?? 0) + 1, Route = Canonical(draft.Route), IsPrivate = draft.IsPrivate && draft.Route.Length > 0,
            IsVouched = draft.ByAdministrator && !asked.Owns, CatchAll = draft.CatchAll ?? draft.Recipients is null, Recipients = recipients,
        }, cancellationToken);
        await seams.Names.EnterAsync(domain, cancellationToken);
        return await ViewAsync(cancellationToken);
    }

    public async Task<InboundResult> ReadAsync(string tenant, CancellationToken cancellationToken) => await FindAsync(tenant, cancellationToken) is null ? s_notFound : await ViewAsync(cancellationToken);

    public async Task<InboundResult> ChangeAsync(InboundChange change, CancellationToken cancellationToken)
    {
        if (await FindAsync(change.Tenant, cancellationToken) is not { } record) return s_notFound;
        if (change.IfVersion is { } version && version != record.Changes) return Problem(ProblemKind.Stale, "", "It was changed since it was read.");
        // Another host than the one that an administrator let in is a host like any other.
        var isPrivate = change.IsPrivate ?? (change.Route is null && record.IsPrivate);
        var route = change.Route ?? record.Route;
        if ((change.Route ?? (change.IsPrivate is null ? null : record.Route)) is { } named && await RefuseRouteAsync(named, isPrivate, cancellationToken) is { } unfit) return unfit;
        await seams.Owner(change.Tenant).NoteInbound(domain, "changeInbound");
        await WriteAsync(record with { Route = Canonical(route), IsPrivate = isPrivate && route.Length > 0, CatchAll = change.CatchAll ?? record.CatchAll }, cancellationToken);
        return await ViewAsync(cancellationToken);
    }

    public async Task<InboundResult> RemoveAsync(string tenant, CancellationToken cancellationToken)
    {
        var isTheirs = await FindAsync(tenant, cancellationToken) is not null;
        if (isTheirs) await ReleaseAsync(tenant, cancellationToken);
        // Also where another has it by now.
        await seams.Owner(tenant).StrikeInbound(domain);
        return isTheirs ? new InboundResult() : s_notFound;
    }

    public async Task ReleaseAsync(string tenant, CancellationToken cancellationToken)
    {
        if (await FindAsync(tenant, cancellationToken) is { } record) await WriteAsync(new InboundRecord { Domain = domain, Created = record.Created, Changes = record.Changes }, cancellationToken);
    }

    public async Task<string[]?> RecipientsAsync(string tenant, string? after, int limit, CancellationToken cancellationToken)
    {
        if (await FindAsync(tenant, cancellationToken) is not { } record) return null;
        var at = after is null ? -1 : Array.BinarySearch(record.Recipients, after, StringComparer.Ordinal);
        var from = at < 0 ? after is null ? 0 : ~at : at + 1;
        return record.Recipients[from..Math.Min(record.Recipients.Length, from + Math.Clamp(limit, 1, InboundRecord.MaxRecipients))];
    }

    public async Task<InboundResult> AddRecipientsAsync(string tenant, string[] recipients, CancellationToken cancellationToken)
    {
        if (await FindAsync(tenant, cancellationToken) is not { } record) return s_notFound;
        if (recipients.Length == 0) return Problem(ProblemKind.Invalid, "recipients", "One at least.");
        var all = Sorted(recipients, out var wrong, record.Recipients);
        if (wrong is not null) return wrong;
        if (all.Length > record.Recipients.Length)
        {
            await seams.Owner(tenant).NoteInbound(domain, "addInboundRecipients");
            await WriteAsync(record with { Recipients = all }, cancellationToken);
        }

        return await ViewAsync(cancellationToken);
    }

    public async Task<InboundResult> RemoveRecipientAsync(string tenant, string recipient, CancellationToken cancellationToken)
    {
        if (await FindAsync(tenant, cancellationToken) is not { } record || !TryMailbox(recipient, out var mailbox) || !record.Recipients.Contains(mailbox, StringComparer.Ordinal)) return s_notFound;
        await seams.Owner(tenant).NoteInbound(domain, "removeInboundRecipient");
        await WriteAsync(record with { Recipients = [.. record.Recipients.Where(r => r != mailbox)] }, cancellationToken);
        return await ViewAsync(cancellationToken);
    }

    private static InboundResult Problem(ProblemKind kind, string field, string detail) => new() { Problem = new Problem(kind, field, detail) };

    /// <summary>What is stored is what is shown, however it was written.</summary>
    private static string Canonical(string route) => InboundRoute.TryParse(route, isPrivate: false, out var parsed) ? parsed.ToString() : "";

    private async Task<InboundResult?> RefuseRouteAsync(string text, bool isPrivate, CancellationToken cancellationToken)
    {
        InboundRoute? route = null;
        if (text.Length > 0 && !InboundRoute.TryParse(text, isPrivate, out route)) return Problem(ProblemKind.Invalid, "route", "A host, such as mail.example.org, mail.example.org:2525 or [2001:db8::1]:25; empty = by MX.");
        return await seams.Routes.RefuseAsync(domain, route, cancellationToken) is { } why ? Problem(ProblemKind.Invalid, "route", why) : null;
    }

    private string[] Sorted(string[] texts, out InboundResult? wrong, string[]? before = null)
    {
        wrong = null;
        var all = new SortedSet<string>(before ?? [], StringComparer.Ordinal);
        for (var i = 0; i < texts.Length && all.Count <= InboundRecord.MaxRecipients; i++)
        {
            if (!TryMailbox(texts[i], out var mailbox))
            {
                wrong = Problem(ProblemKind.Invalid, $"recipients[{i}]", $"A local part, such as `anna`, or an address at {domain}.");
                return [];
            }

            all.Add(mailbox);
        }

        if (all.Count > InboundRecord.MaxRecipients) wrong = Problem(ProblemKind.Full, "recipients", $"A domain has {InboundRecord.MaxRecipients} of them at most; with more, let it catch all.");
        return [.. all];
    }

    private bool TryMailbox(string? text, out string mailbox)
    {
        var isAddress = MailAddress.TryParse(text, out var address) ? address.QueueDomain.Value == domain : MailAddress.TryParse($"{text}@{domain}", out address);
        mailbox = isAddress ? address!.Mailbox.ToLowerInvariant() : "";
        return isAddress;
    }

    /// <summary>The domain if it is this tenant's, in force or not.</summary>
    private async Task<InboundRecord?> FindAsync(string tenant, CancellationToken cancellationToken)
    {
        await ReadAgainAsync(cancellationToken);
        return tenant.Length > 0 && _record?.Tenant == tenant ? _record : null;
    }

    private async Task<InboundRecord?> InForceAsync(CancellationToken cancellationToken)
    {
        await ReadAgainAsync(cancellationToken);
        if (_record is not { Tenant.Length: > 0 } record) return null;
        if (_heardAt is not { } at || seams.Time.GetElapsedTime(at) >= s_standingLasts)
        {
            _standing = await seams.Owner(record.Tenant).Standing(domain);
            _heardAt = seams.Time.GetTimestamp();
        }

        return _standing.Exists && (record.IsVouched || _standing.Owns) ? record : null;
    }

    private async Task ReadAgainAsync(CancellationToken cancellationToken)
    {
        if (_readAt is { } at && seams.Time.GetElapsedTime(at) < s_readLasts) return;
        var (hasChanged, document) = _readAt is null ? new DocumentRead(true, await seams.Documents.ReadAsync(Name, cancellationToken)) : await seams.Documents.ReadIfChangedAsync(Name, _tag, cancellationToken);
        if (hasChanged) Take(document is null ? null : InboundRecord.Parse(document.Content, domain), document?.Tag);
        _readAt = seams.Time.GetTimestamp();
    }

    private async Task WriteAsync(InboundRecord after, CancellationToken cancellationToken)
    {
        if (_record is not null) after = after with { Changes = _record.Changes + 1 };
        // Until it is answered nobody knows whether it was written: then what is there counts.
        _readAt = null;
        if (await seams.Documents.WriteAsync(Name, after.ToJson(), _tag, cancellationToken) is not { } tag) throw new IOException($"The document of the inbound domain {domain} was changed by another.");
        Take(after, tag);
        _readAt = seams.Time.GetTimestamp();
    }

    private void Take(InboundRecord? record, string? tag)
    {
        if (record?.Tenant != _record?.Tenant) _heardAt = null;
        (_record, _tag) = (record, tag);
    }

    private async Task<InboundResult> ViewAsync(CancellationToken cancellationToken)
    {
        // What its owner is told is true now.
        _heardAt = null;
        var isInForce = await InForceAsync(cancellationToken) is not null;
        var record = _record!;
        return new InboundResult
        {
            Domain = new InboundView
            {
                Domain = domain, Status = !isInForce ? "unverified" : _standing.IsPaused ? "paused" : "active", Route = record.Route, IsPrivate = record.IsPrivate, CatchAll = record.CatchAll,
                Recipients = record.Recipients.Length, Created = record.Created, Version = record.Changes,
            },
        };
    }
}

/// <summary>What an inbound domain is made of.</summary>
internal sealed record InboundSeams(IDocumentStore Documents, InboundNames Names, IRouteResolver Routes, Func<string, IInboundOwner> Owner, TimeProvider Time);
