using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Authentication;
using Angarium.Contracts.Webhooks;

namespace Angarium.Egress.Webhooks;

/// <summary>
/// Posts to webhooks over HTTPS: certificates are validated, redirects are answers like others, nothing that comes back is believed or kept but its status, and all of it is bounded in size and time. Any
/// thread; holds connections for a while, and no secret.
/// </summary>
internal sealed class WebhookClient : IDisposable
{
    private const int MaxHeaderKilobytes = 16, MaxDrained = 4 << 10, PerHost = 8;

    private static readonly TimeSpan s_connect = TimeSpan.FromSeconds(15), s_each = TimeSpan.FromSeconds(4), s_idle = TimeSpan.FromSeconds(30), s_life = TimeSpan.FromMinutes(2), s_longest = TimeSpan.FromSeconds(60);

    private readonly HttpClient http;
    private readonly WebhookAddresses addresses;
    private readonly bool allowPlain;
    private readonly TimeProvider time;

    /// <param name="addresses">Where hosts are.</param>
    /// <param name="allowPlain">Without TLS, too.</param>
    /// <param name="time">The clock.</param>
    public WebhookClient(WebhookAddresses addresses, bool allowPlain, TimeProvider time)
    {
        (this.addresses, this.allowPlain, this.time) = (addresses, allowPlain, time);
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false, UseCookies = false, UseProxy = false, AutomaticDecompression = DecompressionMethods.None, ActivityHeadersPropagator = DistributedContextPropagator.CreateNoOutputPropagator(),
            ConnectCallback = ConnectAsync, ConnectTimeout = s_connect, MaxConnectionsPerServer = PerHost, MaxResponseHeadersLength = MaxHeaderKilobytes, MaxResponseDrainSize = MaxDrained,
            ResponseDrainTimeout = TimeSpan.FromSeconds(1), PooledConnectionIdleTimeout = s_idle, PooledConnectionLifetime = s_life,
        };
        http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
        http.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("Angarium-Webhook", "1"));
    }

    public void Dispose() => http.Dispose();

    /// <summary>Never throws: whatever comes of it is an outcome.</summary>
    public async Task<WebhookOutcome> PostAsync(WebhookPost post, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        using var limit = new CancellationTokenSource(post.Timeout < s_longest ? post.Timeout : s_longest, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var outcome = await TryAsync(post, cancellationToken, both.Token);
        return outcome with { Took = time.GetElapsedTime(began) };
    }

    private async Task<WebhookOutcome> TryAsync(WebhookPost post, CancellationToken stop, CancellationToken cancellationToken)
    {
        if (!Uri.TryCreate(post.Url, UriKind.Absolute, out var uri) || (uri.Scheme != Uri.UriSchemeHttps && !(allowPlain && uri.Scheme == Uri.UriSchemeHttp))) return Ended(WebhookEnd.Refused, "its address is not one of HTTPS");
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, uri) { Content = new ByteArrayContent(post.Body) };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            foreach (var (name, value) in post.Headers) request.Headers.TryAddWithoutValidation(name, value);
            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            return new WebhookOutcome { End = WebhookEnd.Answered, Status = (int)response.StatusCode };
        }
        catch (OperationCanceledException)
        {
            return stop.IsCancellationRequested ? Ended(WebhookEnd.NotPosted, "the egress was stopped") : Ended(WebhookEnd.Timeout, "it did not answer in time");
        }
        catch (HttpRequestException e)
        {
            if (e.InnerException is NoWebhookAddressException none) return Ended(none.IsForbidden ? WebhookEnd.Refused : WebhookEnd.Unreachable, none.Message);
            return Ended(WebhookEnd.Unreachable, e switch
            {
                { InnerException: AuthenticationException } or { HttpRequestError: HttpRequestError.SecureConnectionError } => "it has no certificate that is trusted for its name",
                { HttpRequestError: HttpRequestError.ConnectionError } => "it could not be connected to",
                _ => "its answer was not one of HTTP, or none",
            });
        }
        catch (Exception e) when (e is IOException or InvalidOperationException or NotSupportedException or SocketException)
        {
            return Ended(WebhookEnd.Unreachable, "the connection broke");
        }
    }

    private static WebhookOutcome Ended(WebhookEnd end, string detail) => new() { End = end, Detail = detail };

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var found = await addresses.FindAsync(context.DnsEndPoint.Host, cancellationToken);
        for (var i = 0; ; i++)
        {
            var socket = new Socket(found[i].AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                // The last one has what time there is.
                using var each = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                if (i < found.Count - 1) each.CancelAfter(s_each);
                await socket.ConnectAsync(new IPEndPoint(found[i], context.DnsEndPoint.Port), each.Token);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch (Exception e)
            {
                socket.Dispose();
                if (i == found.Count - 1 || cancellationToken.IsCancellationRequested || e is not (SocketException or OperationCanceledException)) throw;
            }
        }
    }
}
