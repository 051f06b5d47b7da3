using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Angarium.Contracts.Webhooks;
using Angarium.Grains.Tenants;
using Angarium.Mail.Tenants;

namespace Angarium.Grains.Webhooks;

/// <summary>
/// The request that a batch becomes: signed here, in a silo, with a secret that is stored sealed and goes nowhere else (design, promise 10). The signature is over the time of the post and the body, so
/// that who overheard one cannot use it later. No state; any thread.
/// </summary>
internal static class WebhookRequest
{
    private const string SecretPrefix = "whsec_";

    public static (string Secret, byte[] Sealed) NewSecret(string tenant, string webhook, MasterKey master)
    {
        var secret = SecretPrefix + TenantName.NewSecret();
        return (secret, master.Seal(Encoding.UTF8.GetBytes(secret), Bound(tenant, webhook)));
    }

    /// <exception cref="InvalidDataException">The secret cannot be opened with this master key.</exception>
    public static WebhookPost Sign(string tenant, TenantWebhook webhook, WebhookBatch batch, DateTimeOffset now, MasterKey master, TimeSpan timeout, bool isSlow)
    {
        var secrets = new List<byte[]> { master.Open(webhook.Secret, Bound(tenant, webhook.Id)) };
        if (webhook.OldSecret is { } old && now < webhook.OldSecretUntil) secrets.Add(master.Open(old, Bound(tenant, webhook.Id)));
        var timestamp = now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        return new WebhookPost
        {
            Tenant = tenant, Url = webhook.Url, Body = batch.Body, Timeout = timeout, IsSlow = isSlow,
            Headers =
            [
                new("Angarium-Webhook-Id", webhook.Id), new("Angarium-Batch-Id", batch.Id), new("Angarium-Timestamp", timestamp),
                new("Angarium-Signature", string.Join(',', secrets.Select(secret => Signature(secret, timestamp, batch.Body)))),
            ],
        };
    }

    /// <summary>`v1=` and HMAC-SHA256 (RFC 2104) of the timestamp, a dot and the body, in hexadecimal.</summary>
    internal static string Signature(byte[] secret, string timestamp, ReadOnlySpan<byte> body)
    {
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, secret);
        hmac.AppendData(Encoding.ASCII.GetBytes(timestamp + "."));
        hmac.AppendData(body);
        return "v1=" + Convert.ToHexStringLower(hmac.GetHashAndReset());
    }

    private static string Bound(string tenant, string webhook) => $"webhooks/{tenant}/{webhook}";
}
