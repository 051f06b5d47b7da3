using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Angarium.Chaos.Chart;

/// <summary>
/// What stands for the directory that workload identities are in: gives a token for the storage to whoever shows the token of the service account that the identity trusts, and notes to which address.
/// Any thread; ends with the harness.
/// </summary>
internal sealed class IdentityProvider
{
    public const string Name = "login.microsoftonline.com", TokenFile = "/var/run/secrets/azure/tokens/azure-identity-token";
    private const string Tenant = "11111111-2222-3333-4444-555555555555";

    private readonly ConcurrentDictionary<(string Client, string Address), bool> given = new();
    private readonly ConcurrentQueue<string> refused = new();
    private readonly IReadOnlyDictionary<string, string> accounts;

    private IdentityProvider(IReadOnlyDictionary<string, string> accounts) => this.accounts = accounts;

    /// <summary>Who was given tokens, and from where it asked.</summary>
    public IReadOnlyCollection<(string Client, string Address)> Given => [.. given.Keys];

    public IReadOnlyCollection<string> Refused => refused;

    /// <param name="address">Where it listens, on port 443.</param>
    /// <param name="certificate">For <see cref="Name"/>, and its key, as PEM.</param>
    /// <param name="accounts">Service accounts by the identity that trusts them.</param>
    public static async Task<IdentityProvider> StartAsync(string address, (string Certificate, string Key) certificate, IReadOnlyDictionary<string, string> accounts)
    {
        var provider = new IdentityProvider(accounts);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        using var read = X509Certificate2.CreateFromPem(certificate.Certificate, certificate.Key);
        var own = X509CertificateLoader.LoadPkcs12(read.Export(X509ContentType.Pfx), null);
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Parse(address), 443, listen => listen.UseHttps(own)));
        var application = builder.Build();
        application.Run(provider.AnswerAsync);
        await application.StartAsync();
        return provider;
    }

    /// <summary>The token of a service account, as its pods have it in a file.</summary>
    public static string TokenOf(string account) => $"token-of-{account}";

    public static IReadOnlyDictionary<string, string> Environment(string client) => new Dictionary<string, string>
    {
        ["AZURE_CLIENT_ID"] = client, ["AZURE_TENANT_ID"] = Tenant, ["AZURE_AUTHORITY_HOST"] = $"https://{Name}/", ["AZURE_FEDERATED_TOKEN_FILE"] = TokenFile,
    };

    private async Task AnswerAsync(HttpContext context)
    {
        var authority = $"https://{Name}/{Tenant}";
        if (context.Request.Method == "GET" && context.Request.Path == "/common/discovery/instance")
        {
            await AnswerAsync(context, 200, new { tenant_discovery_endpoint = $"{authority}/v2.0/.well-known/openid-configuration", metadata = new[] { new { preferred_network = Name, preferred_cache = Name, aliases = new[] { Name } } } });
            return;
        }

        if (context.Request.Method == "GET" && context.Request.Path == $"/{Tenant}/v2.0/.well-known/openid-configuration")
        {
            await AnswerAsync(context, 200, new { token_endpoint = $"{authority}/oauth2/v2.0/token", authorization_endpoint = $"{authority}/oauth2/v2.0/authorize", issuer = $"{authority}/v2.0" });
            return;
        }

        if (context.Request.Method != "POST" || context.Request.Path != $"/{Tenant}/oauth2/v2.0/token")
        {
            refused.Enqueue($"{context.Request.Method} {context.Request.Path}");
            context.Response.StatusCode = 404;
            return;
        }

        var form = await context.Request.ReadFormAsync();
        var (client, shown, scope) = (form["client_id"].ToString(), form["client_assertion"].ToString(), form["scope"].ToString());
        if (!accounts.TryGetValue(client, out var account) || shown != TokenOf(account) || !scope.StartsWith("https://storage.azure.com/.default", StringComparison.Ordinal))
        {
            refused.Enqueue($"{client} with `{shown}` for `{scope}`");
            await AnswerAsync(context, 401, new { error = "invalid_client", error_description = "no such identity" });
            return;
        }

        given.TryAdd((client, context.Connection.RemoteIpAddress!.ToString()), true);
        await AnswerAsync(context, 200, new { token_type = "Bearer", expires_in = 3600, ext_expires_in = 3600, access_token = Token(client) });
    }

    /// <summary>What the emulator looks at; a signature it does not.</summary>
    private static string Token(string client)
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        return $"{Part(new { alg = "RS256", typ = "JWT" })}.{Part(new { aud = "https://storage.azure.com", iss = $"https://sts.windows.net/{Tenant}/", iat = now - 60, nbf = now - 60, exp = now + 3600, appid = client })}.c2lnbmF0dXJl";

        static string Part(object part) => Convert.ToBase64String(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(part))).TrimEnd('=').Replace('+', '-').Replace('/', '_');
    }

    private static Task AnswerAsync(HttpContext context, int status, object body)
    {
        context.Response.StatusCode = status;
        return context.Response.WriteAsJsonAsync(body);
    }
}
