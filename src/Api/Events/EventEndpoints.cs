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

    public static void MapEvents(this IEndpointRouteBuilder routes, ILedgerStore ledger, EventReaders readers)
    {
        routes.MapGet("/v1/events", (HttpContext context, [AsParameters] EventFilter filter) => readers.InTurnAsync(context, () => ReadAsync(context, ledger, filter)))
            .Admit(KeyScopes.Read).WithTags("Events").Produces<EventPage>().WithName("readEvents").WithSummary("Every step of every recipient, in order, from a cursor on. Nothing is skipped, whenever it is asked for again.");
        routes.MapGet("/v1/messages", (HttpContext context, [AsParameters] EventFilter filter) => readers.InTurnAsync(context, () => SearchAsync(context, ledger, filter)))
            .Admit(KeyScopes.Read).WithTags("Messages").Produces<MessagePage>().WithName("searchMessages").WithSummary("Finds messages by recipient, sender, tag and time: each with its recipients as they stood at the end of the page.");
        routes.MapGet("/v1/messages/{message}", (HttpContext context, string message) => readers.InTurnAsync(context, () => TraceAsync(context, ledger, message)))
            .Admit(KeyScopes.Read).WithTags("Messages").Produces<MessageTraceBody>().WithName("readMessage").WithSummary("Every step of every recipient of a message, with the receivers' replies.");
    }

    private static async Task<IResult> ReadAsync(HttpContext context, ILedgerStore ledger, EventFilter filter)
    {
        var (page, refusal) = await PageAsync(context, ledger, filter);
        return page is null ? refusal! : Results.Json(new EventPage { Events = [.. page.Records.SelectMany(EventBody.Of)], Cursor = page.Next.ToString(), More = !page.IsEnd }, Body.Json);
    }

    private static async Task<IResult> SearchAsync(HttpContext context, ILedgerStore ledger, EventFilter filter)
    {
        var (page, refusal) = await PageAsync(context, ledger, filter);
        if (page is null) return refusal!;
        var messages = page.Records.SelectMany(EventBody.Of).Where(one => one.Type is not ("paused" or "resumed")).GroupBy(one => one.Message).Select(message => new FoundMessage
        {
            Message = message.Key, Sender = message.Select(one => one.Sender).FirstOrDefault(sender => sender is not null), Tags = message.Select(one => one.Tags).FirstOrDefault(tags => tags is not null),
            Recipients = [.. message.GroupBy(one => one.RecipientId).Select(recipient => new FoundRecipient
            {
                Id = recipient.Key, Recipient = recipient.Select(one => one.Recipient).FirstOrDefault(address => address is not null), Status = recipient.Last().Type, Time = recipient.Last().Time, Reply = recipient.Last().Reply,
            })],
        });
        return Results.Json(new MessagePage { Items = [.. messages], Cursor = page.Next.ToString(), More = !page.IsEnd }, Body.Json);
    }

    private static async Task<(LedgerPage? Page, IResult? Refusal)> PageAsync(HttpContext context, ILedgerStore ledger, EventFilter filter)
    {
        if (filter.Limit is < 1 or > MaxPage) return (null, ApiProblem.Invalid("limit", $"A number from 1 to {MaxPage}."));
        var from = filter.Cursor is null ? LedgerCursor.From(filter.Since is { } time ? StoreTime.FromDateTimeOffset(time) : default) : LedgerCursor.Parse(filter.Cursor);
        if (from is null) return (null, BadCursor);
        // A tenant's key reads that tenant's, whatever it asks for.
        var whose = context.Caller().Tenant ?? filter.Tenant;
        try
        {
            return (await new LedgerTail(ledger, isForeign: true).ReadAsync(from, record => filter.Wants(record, whose), filter.Limit ?? 100, MaxScan, context.RequestAborted), null);
        }
        catch (ForeignCursorException)
        {
            return (null, BadCursor);
        }
    }

    private static IResult BadCursor => ApiProblem.Invalid("cursor", "The `cursor` of a page before, or none.");

    private static async Task<IResult> TraceAsync(HttpContext context, ILedgerStore ledger, string message)
    {
        if (!MessageId.TryParse(message, out var id)) return ApiProblem.NotFound();
        var whose = context.Caller().Tenant;
        var events = new List<EventBody>();
        var from = LedgerCursor.From(default);
        // Each record says which message it is of: one reading finds them all, in the order of each recipient.
        for (var isEnd = false; !isEnd;)
        {
            var page = await new LedgerTail(ledger).ReadAsync(from, record => record.Summary?.Message == id && (whose is null || record.Summary.Tenant == whose), MaxPage, MaxScan, context.RequestAborted);
            events.AddRange(page.Records.SelectMany(EventBody.Of));
            (from, isEnd) = (page.Next, page.IsEnd);
        }

        return events.Count == 0 ? ApiProblem.NotFound() : Results.Json(new MessageTraceBody { Message = message, Events = [.. events.DistinctBy(one => one.Id).OrderBy(one => one.Time)] }, Body.Json);
    }
}
