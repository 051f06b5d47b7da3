using System.Globalization;
using Angarium.Api.Callers;
using Angarium.Api.Problems;
using Angarium.Contracts.Tenants;
using Angarium.Mail.Tenants;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Angarium.Api.Tenants;

/// <summary>Tenants, their domains, credentials and keys over HTTP: each route is a call or two of the tenant's grain. No state; any thread.</summary>
internal static class TenantEndpoints
{
    private const int MaxPage = 100;

    public static void MapTenants(this IEndpointRouteBuilder routes, IGrainFactory grains)
    {
        var all = routes.MapGroup("/v1/tenants").WithTags("Tenants");
        all.MapPost("", (HttpRequest request) => CreateAsync(request, grains)).AdmitAdministrators().Accepts<NewTenant>("application/json").Produces<NewTenantAnswer>(201)
            .WithName("createTenant").WithSummary("Creates a tenant with an API key, an SMTP credential and, if it is named, a first domain.");
        all.MapGet("", (string? after, int? limit) => ListAsync(after, limit, grains)).AdmitAdministrators().Produces<Page<TenantBody>>()
            .WithName("listTenants").WithSummary("Lists tenants by id.");

        var one = all.MapGroup("/{tenant}");
        one.MapGet("", async (string tenant, HttpResponse response) => Shown(await Grain(tenant).Read(), response)).Admit(KeyScopes.Read).Produces<TenantBody>()
            .WithName("readTenant").WithSummary("Shows a tenant.");
        one.MapPatch("", (string tenant, HttpRequest request) => PatchAsync(tenant, request, Grain(tenant))).Admit(KeyScopes.Manage).Accepts<TenantPatch>("application/json").Produces<TenantBody>()
            .WithName("changeTenant").WithSummary("Changes a tenant; with If-Match only what was read.");
        one.MapDelete("", async (string tenant, HttpRequest request) => TryIfMatch(request, out var version) ? Gone(await Grain(tenant).Delete(version)) : BadIfMatch).AdmitAdministrators().Produces(204)
            .WithName("deleteTenant").WithSummary("Deletes a tenant: nobody logs in or sends for it any more; what was accepted is delivered.");
        one.MapPost("/pause", async (string tenant, HttpResponse response) => Shown(await Grain(tenant).Change(new TenantChange { IsPaused = true }), response)).AdmitAdministrators().Produces<TenantBody>()
            .WithName("pauseTenant").WithSummary("Takes no more mail of a tenant until it is resumed.");
        one.MapPost("/resume", async (string tenant, HttpResponse response) => Shown(await Grain(tenant).Change(new TenantChange { IsPaused = false }), response)).AdmitAdministrators().Produces<TenantBody>()
            .WithName("resumeTenant").WithSummary("Takes mail of a tenant again.");

        one.MapGet("/audit", async (string tenant, long? before, int? limit) => await AuditAsync(Grain(tenant), before, limit)).Admit(KeyScopes.Read).Produces<Page<AuditBody>>()
            .WithName("readAudit").WithSummary("Every change of a tenant and who made it, the newest first.");

        var domains = one.MapGroup("/domains").WithTags("Domains");
        domains.MapPost("", (string tenant, HttpRequest request) => AddDomainAsync(request, Grain(tenant))).Admit(KeyScopes.Manage).Accepts<NewDomain>("application/json").Produces<DomainBody>(201)
            .WithName("addDomain").WithSummary("Adds a sending domain, with its DKIM keys; the answer holds the records to publish.");
        domains.MapGet("", async (string tenant) => await Grain(tenant).Read() is { Tenant: { } t } ? Answer(new Page<DomainBody> { Items = [.. t.Domains.Select(d => DomainBody.Of(d, null))] }) : ApiProblem.NotFound())
            .Admit(KeyScopes.Read).Produces<Page<DomainBody>>().WithName("listDomains").WithSummary("Lists sending domains.");
        domains.MapGet("/{domain}", async (string tenant, string domain) => Domain(await Grain(tenant).Read(), domain)).Admit(KeyScopes.Read).Produces<DomainBody>()
            .WithName("readDomain").WithSummary("Shows a sending domain and the records to publish.");
        domains.MapPost("/{domain}/verify", async (string tenant, string domain) => Domain(await Grain(tenant).VerifyDomain(domain), domain)).Admit(KeyScopes.Manage).Produces<DomainBody>()
            .WithName("verifyDomain").WithSummary("Looks the records up now, and says of each what was found.");
        domains.MapPost("/{domain}/keys", async (string tenant, string domain) => Domain(await Grain(tenant).RotateKeys(domain), domain)).Admit(KeyScopes.Manage).Produces<DomainBody>()
            .WithName("rotateDomainKeys").WithSummary("Makes new DKIM keys; those in use sign until the records of the new ones are seen.");
        domains.MapDelete("/{domain}", async (string tenant, string domain) => Gone(await Grain(tenant).RemoveDomain(domain))).Admit(KeyScopes.Manage).Produces(204)
            .WithName("removeDomain").WithSummary("Removes a sending domain.");

        var credentials = one.MapGroup("/credentials").WithTags("Credentials");
        credentials.MapPost("", (string tenant, HttpRequest request) => AddCredentialAsync(request, Grain(tenant))).Admit(KeyScopes.Manage).Accepts<Named>("application/json").Produces<NewCredentialAnswer>(201)
            .WithName("addCredential").WithSummary("Makes a name and password for submission.");
        credentials.MapGet("", async (string tenant) => await Grain(tenant).Read() is { Tenant: { } t }
                ? Answer(new Page<CredentialBody> { Items = [.. t.Credentials.Select(c => new CredentialBody { User = c.Id, Name = c.Name, Created = c.Created })] }) : ApiProblem.NotFound())
            .Admit(KeyScopes.Read).Produces<Page<CredentialBody>>().WithName("listCredentials").WithSummary("Lists credentials, without their passwords.");
        credentials.MapDelete("/{user}", async (string tenant, string user) => Gone(await Grain(tenant).RemoveCredential(user))).Admit(KeyScopes.Manage).Produces(204)
            .WithName("removeCredential").WithSummary("Takes a credential away; within seconds nobody logs in with it.");

        var keys = one.MapGroup("/keys").WithTags("Keys");
        keys.MapPost("", (string tenant, HttpRequest request) => AddKeyAsync(request, Grain(tenant))).Admit(KeyScopes.Manage).Accepts<NewKey>("application/json").Produces<NewKeyAnswer>(201)
            .WithName("addKey").WithSummary("Makes an API key.");
        keys.MapGet("", async (string tenant) => await Grain(tenant).Read() is { Tenant: { } t }
                ? Answer(new Page<KeyBody> { Items = [.. t.Keys.Select(k => new KeyBody { Id = k.Id, Name = k.Name, Scopes = Scopes(k.Scopes), Created = k.Created })] }) : ApiProblem.NotFound())
            .Admit(KeyScopes.Read).Produces<Page<KeyBody>>().WithName("listKeys").WithSummary("Lists API keys, without the keys themselves.");
        keys.MapDelete("/{key}", async (string tenant, string key) => Gone(await Grain(tenant).RemoveKey(key))).Admit(KeyScopes.Manage).Produces(204)
            .WithName("removeKey").WithSummary("Takes an API key away.");

        ITenantAdmin Grain(string tenant) => grains.GetGrain<ITenantAdmin>(TenantName.IsTenant(tenant) ? tenant : TenantName.Nobody);
    }

    internal static IResult BadIfMatch => ApiProblem.Invalid("If-Match", "The ETag of what was read.");

    private static async Task<IResult> CreateAsync(HttpRequest request, IGrainFactory grains)
    {
        var (body, refusal) = await Body.ReadAsync<NewTenant>(request);
        if (body is null) return refusal!;
        var grain = grains.GetGrain<ITenantAdmin>(TenantName.NewTenant());
        var created = await grain.Create(new TenantDraft { Name = body.Name, Domain = body.Domain });
        if (created.Problem is { } problem) return ApiProblem.Of(problem);
        var key = await grain.AddKey("first", KeyScopes.All);
        var credential = await grain.AddCredential("first");
        if ((key.Problem ?? credential.Problem) is { } later) return ApiProblem.Of(later);
        return Results.Json(new NewTenantAnswer
        {
            Tenant = TenantBody.Of(credential.Tenant!), ApiKey = key.Secret!, Smtp = new NewCredentialAnswer { User = credential.Made!, Password = credential.Secret! },
            Records = [.. credential.Tenant!.Domains.SelectMany(d => d.Records).Select(Zone)],
        }, Body.Json, statusCode: StatusCodes.Status201Created);
    }

    private static async Task<IResult> ListAsync(string? after, int? limit, IGrainFactory grains)
    {
        if (limit is < 1 or > MaxPage) return ApiProblem.Invalid("limit", $"A number from 1 to {MaxPage}.");
        var most = limit ?? MaxPage;
        var ids = await grains.GetGrain<ITenantDirectory>(0).List(after, most + 1);
        var read = await Task.WhenAll(ids.Take(most).Select(id => grains.GetGrain<ITenantAdmin>(id).Read()));
        return Answer(new Page<TenantBody> { Items = [.. read.Where(r => r.Tenant is not null).Select(r => TenantBody.Of(r.Tenant!))], Next = ids.Length > most ? ids[most - 1] : null });
    }

    private static async Task<IResult> AuditAsync(ITenantAdmin grain, long? before, int? limit)
    {
        if (limit is < 1 or > MaxPage) return ApiProblem.Invalid("limit", $"A number from 1 to {MaxPage}.");
        var most = limit ?? MaxPage;
        if (await grain.Audit(before, most + 1) is not { } entries) return ApiProblem.NotFound();
        return Answer(new Page<AuditBody> { Items = [.. entries.Take(most).Select(AuditBody.Of)], Next = entries.Length > most ? entries[most - 1].Change.ToString(CultureInfo.InvariantCulture) : null });
    }

    private static async Task<IResult> PatchAsync(string tenant, HttpRequest request, ITenantAdmin grain)
    {
        var (body, refusal) = await Body.ReadAsync<TenantPatch>(request);
        if (body is null) return refusal!;
        if (!TryIfMatch(request, out var version)) return BadIfMatch;
        if (!request.HttpContext.Caller().IsAdministrator && (body.Paused is not null ? "paused" : body.Pool is not null ? "pool" : body.Quota is not null ? "quota" : null) is { } field)
            return ApiProblem.Of(StatusCodes.Status403Forbidden, "forbidden", "Only an administrator may change that.", field);
        if (body.Verp is not (null or "none" or "recipient")) return ApiProblem.Invalid("verp", "`none` or `recipient`.");
        return Shown(await grain.Change(new TenantChange
        {
            IfVersion = version, Name = body.Name, IsPaused = body.Paused, Pool = body.Pool, Verp = body.Verp is null ? null : body.Verp == "recipient", Quota = body.Quota?.ToView(),
        }), request.HttpContext.Response);
    }

    private static async Task<IResult> AddDomainAsync(HttpRequest request, ITenantAdmin grain)
    {
        var (body, refusal) = await Body.ReadAsync<NewDomain>(request);
        if (body is null) return refusal!;
        var result = await grain.AddDomain(body.Name);
        return result.Problem is { } problem ? ApiProblem.Of(problem with { Field = "name" }) : Domain(result, result.Made!, StatusCodes.Status201Created);
    }

    private static async Task<IResult> AddCredentialAsync(HttpRequest request, ITenantAdmin grain)
    {
        var (body, refusal) = await Body.ReadAsync<Named>(request);
        if (body is null) return refusal!;
        var result = await grain.AddCredential(body.Name);
        return result.Problem is { } problem ? ApiProblem.Of(problem) : Results.Json(new NewCredentialAnswer { User = result.Made!, Password = result.Secret! }, Body.Json, statusCode: StatusCodes.Status201Created);
    }

    private static async Task<IResult> AddKeyAsync(HttpRequest request, ITenantAdmin grain)
    {
        var (body, refusal) = await Body.ReadAsync<NewKey>(request);
        if (body is null) return refusal!;
        var scopes = KeyScopes.None;
        foreach (var name in body.Scopes)
        {
            var scope = name switch { "send" => KeyScopes.Send, "read" => KeyScopes.Read, "manage" => KeyScopes.Manage, _ => KeyScopes.None };
            if (scope == KeyScopes.None) return ApiProblem.Invalid("scopes", "One or more of `send`, `read` and `manage`.");
            scopes |= scope;
        }

        // Nobody gives what he has not.
        if ((scopes & ~request.HttpContext.Caller().Scopes) != 0) return ApiProblem.Of(StatusCodes.Status403Forbidden, "forbidden", "A key cannot make one that may do more than itself.", "scopes");
        var result = await grain.AddKey(body.Name, scopes);
        return result.Problem is { } problem ? ApiProblem.Of(problem) : Results.Json(new NewKeyAnswer { Id = result.Made!, Key = result.Secret! }, Body.Json, statusCode: StatusCodes.Status201Created);
    }

    private static IResult Shown(TenantResult result, HttpResponse response)
    {
        if (result.Tenant is not { } tenant) return ApiProblem.Of(result.Problem!);
        response.Headers.ETag = string.Create(CultureInfo.InvariantCulture, $"\"{tenant.Version}\"");
        return Answer(TenantBody.Of(tenant));
    }

    private static IResult Domain(TenantResult result, string name, int status = StatusCodes.Status200OK) => result.Problem is { } problem ? ApiProblem.Of(problem)
        : Array.Find(result.Tenant!.Domains, d => d.Name.Equals(name, StringComparison.OrdinalIgnoreCase)) is { } domain ? Results.Json(DomainBody.Of(domain, result.Checks), Body.Json, statusCode: status) : ApiProblem.NotFound();

    private static IResult Gone(TenantResult result) => result.Problem is { } problem ? ApiProblem.Of(problem) : Results.NoContent();

    private static IResult Answer<T>(T body) => Results.Json(body, Body.Json);

    internal static bool TryIfMatch(HttpRequest request, out long? version)
    {
        version = null;
        if (request.Headers.IfMatch is not [{ } tag]) return request.Headers.IfMatch.Count == 0;
        if (tag == "*") return true;
        if (tag is not ['"', .. var text, '"'] || !long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)) return false;
        version = number;
        return true;
    }

    /// <summary>A line of a zone file: strings of a TXT record have 255 octets at most (RFC 1035 §3.3).</summary>
    private static string Zone(DomainRecord record) =>
        $"{record.Name}. IN {record.Type} {(record.Type == "TXT" ? string.Join(' ', record.Value.Chunk(255).Select(part => $"\"{new string(part)}\"")) : record.Value + ".")}";

    private static string[] Scopes(KeyScopes scopes) => [.. new[] { KeyScopes.Send, KeyScopes.Read, KeyScopes.Manage }.Where(one => (scopes & one) != 0).Select(one => one.ToString().ToLowerInvariant())];
}
