using Angarium.Api.Callers;
using Angarium.Api.Problems;
using Angarium.Contracts.Tenants;
using Angarium.Mail;
using Angarium.Spool.Events;
using Angarium.Spool.Ledger;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Angarium.Api.Events;

/// <summary>What became of a tenant's mail, from the ledger itself. No state; any thread.</summary>
internal static class EventEndpoints
{
    private const int MaxPage = 1_000, MaxScan = 64 << 20;

    public static void MapEvents(this IEndpointRouteBuilder routes, ILedgerStore ledger)
    {
        routes.MapGet("/v1/events", (HttpRequest request, string? cursor, DateTimeOffset? since, int? limit, string? tenant, string? recipient, string? sender) => ReadAsync(request.HttpContext, ledger, cursor, since, limit, tenant, recipient, sender))
            .Admit(KeyScopes.Read).WithTags("Events").Produces<EventPage>().WithName("readEvents").WithSummary("Every step of every recipient, in order, from a cursor on. Nothing is skipped, whenever it is asked for again.");
        routes.MapGet("/v1/messages/{message}", (HttpRequest request, string message) => TraceAsync(request.HttpContext, ledger, message))
            .Admit(KeyScopes.Read).WithTags("Messages").Produces<MessageTraceBody>().WithName("readMessage").WithSummary("Every step of every recipient of a message, with the receivers' replies.");
    }

    private static async Task<IResult> ReadAsync(HttpContext context, ILedgerStore ledger, string? cursor, DateTimeOffset? since, int? limit, string? tenant, string? recipient, string? sender)
    {
        if (limit is < 1 or > MaxPage) return ApiProblem.Invalid("limit", $"A number from 1 to {MaxPage}.");
        var caller = context.Caller();
        // A tenant's key reads that tenant's, whatever it asks for.
        var whose = caller.Tenant ?? tenant;
        var from = cursor is null ? LedgerCursor.From(since is { } time ? StoreTime.FromDateTimeOffset(time) : default) : LedgerCursor.Parse(cursor);
        if (from is null) return ApiProblem.Invalid("cursor", "The `cursor` of a page before, or none.");
        var page = await new LedgerTail(ledger).ReadAsync(from, Wanted, limit ?? 100, MaxScan, context.RequestAborted);
        return Results.Json(new EventPage { Events = [.. page.Records.SelectMany(EventBody.Of)], Cursor = page.Next.ToString(), More = !page.IsEnd }, Body.Json);

        bool Wanted(LedgerRecord record) => EventBody.TypeOf(record) is not null && (whose is null || record.Summary!.Tenant == whose)
            && (recipient is null || record.Summary!.Recipient.Equals(recipient, StringComparison.OrdinalIgnoreCase)) && (sender is null || record.Summary!.ReversePath.Equals(sender, StringComparison.OrdinalIgnoreCase))
            && (since is null || record.Time.ToDateTimeOffset() >= since);
    }

    private static async Task<IResult> TraceAsync(HttpContext context, ILedgerStore ledger, string message)
    {
        if (!MessageId.TryParse(message, out var id)) return ApiProblem.NotFound();
        var caller = context.Caller();
        var events = new List<EventBody>();
        var index = 0;
        await foreach (var (_, record) in new LedgerTrace(ledger).FindAsync(new HashSet<RecipientKey> { id.First }, context.RequestAborted))
        {
            if (record.Summary is { } summary && !caller.IsAdministrator && summary.Tenant != caller.Tenant) return ApiProblem.NotFound();
            events.AddRange(EventBody.Of(new PlacedRecord(default, 0, index++, record)));
        }

        return events.Count == 0 ? ApiProblem.NotFound() : Results.Json(new MessageTraceBody { Message = message, Events = [.. events.OrderBy(e => e.Time)] }, Body.Json);
    }
}
