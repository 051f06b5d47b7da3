using System.Globalization;
using System.Net;
using Angarium.Api.Problems;
using Angarium.Contracts.Intake;
using Angarium.Mail;
using Angarium.Mail.Addresses;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Angarium.Api.Messages;

/// <summary>Sending over HTTP: the one route that processes of the role `ingress` serve. No state; any thread. The answer is given once what was sent is durable.</summary>
internal static class MessageEndpoints
{
    /// <summary>Letters of one request that are built and committed together, and octets of them.</summary>
    private const int AtOnce = 16, OctetsAtOnce = 4 << 20;

    /// <summary>A letter as it is built, and as it is stored.</summary>
    private const int CopiesOfLetter = 4;

    private static readonly TimeSpan s_farthest = TimeSpan.FromDays(30);

    /// <param name="routes">Where; behind <see cref="SenderLogin"/>.</param>
    /// <param name="intake">Where messages go.</param>
    /// <param name="maxSize">Octets of a message.</param>
    /// <param name="maxBody">Octets of a request.</param>
    public static void MapMessages(this IEndpointRouteBuilder routes, IMessageIntake intake, Func<long> maxSize, Func<long> maxBody) =>
        routes.MapPost("/v1/messages", (HttpRequest request) => SendAsync(request.HttpContext, intake, maxSize(), maxBody())).WithTags("Messages").WithName("sendMessage")
            .WithSummary("Sends a message: as JSON, or with `message/rfc822` as it is, its envelope in `from` and `to` of the query.")
            .Accepts<MessageBody>("application/json", "message/rfc822").Produces<MessageAnswer>(StatusCodes.Status202Accepted).Produces<MessageAnswer>(StatusCodes.Status207MultiStatus).WithMetadata(new Callers.Admits(Contracts.Tenants.KeyScopes.Send), new BodyLimit(maxBody));

    private static async Task<IResult> SendAsync(HttpContext context, IMessageIntake intake, long maxSize, long maxBody)
    {
        var tenant = SenderLogin.Of(context);
        using var memory = new BodyMemory(intake);
        var client = context.Connection.RemoteIpAddress ?? IPAddress.None;
        if (context.Request.ContentType?.StartsWith("message/rfc822", StringComparison.OrdinalIgnoreCase) == true) return await SendRawAsync(context, intake, memory, tenant, client, maxBody);

        var (body, refusal) = await Body.ReadAsync<MessageBody>(context.Request, maxBody, memory.TryHold);
        if (body is null) return refusal!;
        if (body.Class is not ("transactional" or "bulk")) return ApiProblem.Invalid("class", "`transactional` or `bulk`.");
        if (body.SendAt is { } at && at - DateTimeOffset.UtcNow > s_farthest) return ApiProblem.Invalid("sendAt", "At most 30 days ahead.");
        var (labels, unkept) = MessageLabels.Of(body.Tags, body.Metadata);
        if (unkept is not null) return unkept;
        var (drafts, size, unfit) = MessageDraft.Of(body, maxSize);
        if (unfit is not null) return unfit;
        if (tenant.MaxRecipients is > 0 and var most && body.To.Length + body.Cc.Length + body.Bcc.Length > most) return ApiProblem.Invalid("to", $"This tenant has {most} recipients a message at most.");
        var parts = new List<(IReadOnlyList<MailAddress> Recipients, IntakeAnswer Answer)>();
        var atOnce = (int)Math.Clamp(OctetsAtOnce / Math.Max(1, size), 1, AtOnce);
        using var letters = size > 0 ? intake.TryReserve(CopiesOfLetter * size * Math.Min(atOnce, drafts.Count)) : null;
        if (size > 0 && letters is null) return Body.NoRoom;
        foreach (var some in drafts.Chunk(atOnce)) parts.AddRange(await Task.WhenAll(some.Select(SubmitAsync)));
        return Answer(context, parts);

        async Task<(IReadOnlyList<MailAddress>, IntakeAnswer)> SubmitAsync(Func<MessageDraft> build)
        {
            var draft = build();
            return (draft.Recipients, await intake.SubmitAsync(new IntakeMessage
            {
                Tenant = tenant, ReversePath = draft.From, Recipients = draft.Recipients, Content = draft.Content, Class = body.Class == "bulk" ? MessageClass.Bulk : MessageClass.Transactional,
                NotBefore = body.SendAt > DateTimeOffset.UtcNow ? body.SendAt : null, Labels = labels, Client = client,
            }));
        }
    }

    private static async Task<IResult> SendRawAsync(HttpContext context, IMessageIntake intake, BodyMemory memory, IIntakeTenant tenant, IPAddress client, long maxBody)
    {
        var query = context.Request.Query;
        if (query["from"] is not [{ } sender] || !MailAddress.TryParse(sender, out var from)) return ApiProblem.Invalid("from", "One address in the query: the sender of the envelope.");
        var recipients = new List<MailAddress>();
        foreach (var text in query["to"])
        {
            if (!MailAddress.TryParse(text, out var to)) return ApiProblem.Invalid("to", "Addresses in the query: the recipients of the envelope.");
            recipients.Add(to);
        }

        if (recipients.Count is 0 or > MessageDraft.MaxRecipients) return ApiProblem.Invalid("to", $"1 to {MessageDraft.MaxRecipients} addresses in the query.");
        if (tenant.MaxRecipients is > 0 and var most && recipients.Count > most) return ApiProblem.Invalid("to", $"This tenant has {most} recipients a message at most.");
        var (labels, unkept) = MessageLabels.Of([.. query["tag"].Select(tag => tag ?? "")], []);
        if (unkept is not null) return unkept;
        var (content, refusal) = await Body.ReadOctetsAsync(context.Request, maxBody, memory.TryHold);
        if (content is null) return refusal!;
        var answer = await intake.SubmitAsync(new IntakeMessage { Tenant = tenant, ReversePath = from, Recipients = recipients, Content = content, Labels = labels, Client = client });
        return Answer(context, [(recipients, answer)]);
    }

    /// <summary>All or, of letters to many, as many as were taken: what was not is named with its reason.</summary>
    private static IResult Answer(HttpContext context, IEnumerable<(IReadOnlyList<MailAddress> Recipients, IntakeAnswer Answer)> parts)
    {
        var (accepted, left) = (new List<AcceptedBody>(), new List<RefusedBody>());
        IntakeAnswer? refused = null;
        foreach (var (recipients, answer) in parts)
        {
            if (answer.Refusal is { } refusal)
            {
                refused ??= answer;
                left.AddRange(recipients.Select(recipient => new RefusedBody { Email = recipient.ToString(), Reason = $"{refusal.Code} {refusal.Status} {refusal.Text}" }));
            }

            for (var i = 0; i < answer.Keys.Length; i++) accepted.Add(new AcceptedBody { Email = recipients[i].ToString(), Message = new MessageId(answer.Keys.Min()).ToString(), Id = answer.Keys[i].ToString() });
        }

        if (refused is null) return Results.Json(new MessageAnswer { Recipients = [.. accepted] }, Body.Json, statusCode: StatusCodes.Status202Accepted);
        if (accepted.Count > 0) return Results.Json(new MessageAnswer { Recipients = [.. accepted], Refused = [.. left] }, Body.Json, statusCode: StatusCodes.Status207MultiStatus);
        var reply = refused.Refusal!;
        var status = reply.Code / 100 == 5 ? StatusCodes.Status422UnprocessableEntity : reply.Status is { Class: 4, Subject: 7, Detail: 1 } ? StatusCodes.Status429TooManyRequests : StatusCodes.Status503ServiceUnavailable;
        if (status != StatusCodes.Status422UnprocessableEntity) context.Response.Headers.RetryAfter = Math.Max(1, Math.Ceiling(refused.RetryAfter.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        return ApiProblem.Of(status, status == StatusCodes.Status422UnprocessableEntity ? "refused" : status == StatusCodes.Status429TooManyRequests ? "over-quota" : "unavailable", reply.Text);
    }
}
