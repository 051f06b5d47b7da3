using System.Globalization;
using System.Net;
using Angarium.Contracts.Admin;
using Angarium.Contracts.Administrators;
using Angarium.Contracts.Routing;
using Angarium.Contracts.Tenants;
using Angarium.Mail.Addresses;
using Angarium.Spool.Time;
using Orleans.Concurrency;

namespace Angarium.Grains.Control;

/// <summary>Takes operators' orders at whichever silo the call came in: into the audit, into the document, to the other silos, in this order. Holds nothing; a crash loses nothing that was answered.</summary>
[GrainType("operators"), StatelessWorker(8)]
internal sealed class OperatorsGrain(OperatorAudit audit, Suspensions suspensions, SiloDesks desks, DomainExplainer explainer, IRouteResolver routes, IStoreClock clock) : Grain, IOperators
{
    private const int MaxName = 600, MaxTenant = 64;

    public Task Note(string action, string target, string? detail) => audit.NoteAsync(Actor.Current, action, target, detail, CancellationToken.None);

    public Task<AuditEntry[]> Audit(long? before, int limit) => audit.ReadAsync(before, Math.Clamp(limit, 1, 1_000), CancellationToken.None);

    public async Task<Suspension[]> Suspensions()
    {
        await suspensions.RefreshAsync(CancellationToken.None);
        var now = clock.Now;
        return [.. suspensions.Current!.All.Where(one => !one.IsOver(now)).OrderBy(one => one.Kind).ThenBy(one => one.Name, StringComparer.Ordinal)];
    }

    public async Task<SuspensionResult> Suspend(SuspensionKind kind, string name, TimeSpan? lasts, string reason)
    {
        if (await CanonicalAsync(kind, name) is not { } named) return BadName(kind);
        if (reason.Length > Suspension.MaxReason || reason.Any(char.IsControl)) return Problem(ProblemKind.Invalid, "reason", $"At most {Suspension.MaxReason} printable characters.");
        var now = clock.Now;
        var ordered = new Suspension { Kind = kind, Name = named, Since = now, Until = lasts is { } time ? now + time : default, Actor = Actor.Current, Reason = reason };
        await Note("suspend", Target(ordered), $"until {(ordered.Until == default ? "resumed" : ordered.Until.ToString())}{(reason.Length > 0 ? ": " + reason : "")}");
        var isThere = await suspensions.ChangeAsync(all => all.Count(one => !IsSame(one, ordered)) >= Control.Suspensions.Most ? null : [.. all.Where(one => !IsSame(one, ordered)), ordered], CancellationToken.None);
        if (!isThere) return Problem(ProblemKind.Full, "name", $"{Control.Suspensions.Most} suspensions are in force; resume some first.");
        await TellAsync();
        return new SuspensionResult { Suspension = ordered };
    }

    public async Task<SuspensionResult> Resume(SuspensionKind kind, string name)
    {
        if (await CanonicalAsync(kind, name) is not { } named) return BadName(kind);
        var known = (await Suspensions()).FirstOrDefault(one => one.Kind == kind && one.Name == named);
        if (known is null) return new SuspensionResult();
        await Note("resume", Target(known), null);
        await suspensions.ChangeAsync(all => all.Where(one => !IsSame(one, known)), CancellationToken.None);
        await TellAsync();
        return new SuspensionResult { Suspension = known };
    }

    public Task<DomainExplanation?> Explain(string domain) => explainer.ExplainAsync(domain, CancellationToken.None);

    /// <summary>The others hear of it at once; who does not answer, within seconds by itself.</summary>
    private async Task TellAsync() => await desks.AskAsync(_ => Task.FromResult(""), async (desk, _, _) => await desk.Hear() ? "" : null);

    /// <summary>As it stands in the document; null = it names nothing of that kind.</summary>
    private async Task<string?> CanonicalAsync(SuspensionKind kind, string name)
    {
        if (name.Length is 0 or > MaxName || name.Any(c => char.IsControl(c) || c == ' ')) return null;
        switch (kind)
        {
            case SuspensionKind.Site:
                if (name.Contains(':', StringComparison.Ordinal)) return AsSitesAreNamed(name);
                if (!QueueDomain.TryParse(name, out var domain)) return null;
                var site = (await routes.ResolveSiteAsync(domain.Value, CancellationToken.None)).Site;
                // What it is called while DNS does not say where its mail goes would mean nothing later.
                return site.StartsWith("dns:", StringComparison.Ordinal) ? throw new IOException($"DNS does not say now where the mail of {domain.Value} goes; ask again, or name the site") : site;
            case SuspensionKind.Tenant:
                return name.Length <= MaxTenant && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') ? name : null;
            case SuspensionKind.Source:
                if (IPAddress.TryParse(name, out var address)) return address.ToString();
                return QueueDomain.TryParse(name, out var host) && !host.Value.StartsWith('[') ? host.Value : null;
            default:
                return null;
        }
    }

    /// <summary>The hosts of a site in the one order in which they stand in its name, in lower case and without final dots.</summary>
    private static string AsSitesAreNamed(string name)
    {
        var lower = name.ToLowerInvariant();
        var hosts = lower.IndexOf("mx:", StringComparison.Ordinal) is var at && (at == 0 || at > 0 && lower[at - 1] == '!') ? at + 3 : -1;
        return hosts < 0 ? name : lower[..hosts] + string.Join(',', lower[hosts..].Split(',', StringSplitOptions.RemoveEmptyEntries).Select(host => host.TrimEnd('.')).Distinct().Order(StringComparer.Ordinal));
    }

    private static bool IsSame(Suspension one, Suspension other) => one.Kind == other.Kind && one.Name == other.Name;

    private static string Target(Suspension one) => string.Create(CultureInfo.InvariantCulture, $"{one.Kind.ToString().ToLowerInvariant()} {one.Name}");

    private static SuspensionResult BadName(SuspensionKind kind) => Problem(ProblemKind.Invalid, "name", kind switch
    {
        SuspensionKind.Site => "A site as `angarium explain DOMAIN` names it, such as mx:mx1.example.net,mx2.example.net, or a domain whose mail goes there.",
        SuspensionKind.Tenant => "A tenant's id.",
        _ => "An address of `Egress:Source` or `Egress:Pools`, or the name that it greets with.",
    });

    private static SuspensionResult Problem(ProblemKind kind, string field, string detail) => new() { Problem = new Problem(kind, field, detail) };
}
