using System.Collections.Specialized;
using System.Globalization;
using System.Web;
using Azure;
using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Identity;
using Azure.Storage.Blobs;
using Angarium.Spool.Files;

namespace Angarium.Spool.Azure;

/// <summary>
/// The containers of the blob stores and the connections to them. A container that neither the account nor an address of its own gives is null: this process has nothing to do with it.
/// Built at start; any thread.
/// </summary>
internal sealed class AzureContainers : IDisposable
{
    /// <summary>What is spoken on the wire: fixed, so that an update of the library changes nothing unseen.</summary>
    private const BlobClientOptions.ServiceVersion Version = BlobClientOptions.ServiceVersion.V2024_11_04;

    private const int MaxConnections = 128;

    /// <summary>Mail has connections of its own: however much of it waits, membership, documents and ledger do not wait behind it.</summary>
    private readonly Connections _ofMail = new(), _ofRest = new();
    private readonly HttpPipelinePolicy[] _policies;
    private readonly Dictionary<string, AzureContainer> _containers = [];

    /// <summary>One for all: each asks for tokens of its own.</summary>
    private readonly Lazy<TokenCredential> _identity = new(static () => new DefaultAzureCredential());

    /// <param name="policies">See every request, repeated ones too.</param>
    /// <exception cref="StoreUnavailableException">One line says which setting is wrong.</exception>
    public AzureContainers(AzureStoreOptions options, params HttpPipelinePolicy[] policies)
    {
        if (options.Validate().FirstOrDefault() is { } mistake) throw new StoreUnavailableException(mistake);
        _policies = policies;
        try
        {
            foreach (var name in AzureStoreOptions.Names)
            {
                var (reads, writes) = (Account(options, Options(name, retries: 2)), Account(options, Options(name, retries: 0)));
                if (options.Containers.TryGetValue(name, out var address)) _containers.Add(name, Own(name, new Uri(address)));
                else if (reads is not null && writes is not null)
                {
                    var full = $"{options.Prefix}-{name}";
                    _containers.Add(name, new AzureContainer(name, "Spool:Azure", reads.GetBlobContainerClient(full), writes.GetBlobContainerClient(full), MayOnlyCreate: false, IsOwn: false));
                }
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public AzureContainer? this[string name] => _containers.GetValueOrDefault(name);

    /// <summary>Makes the containers of the account that are not there yet. Harmless when repeated, and beside others that do it.</summary>
    /// <exception cref="RequestFailedException"/>
    public async Task CreateAllAsync(CancellationToken cancellationToken)
    {
        foreach (var container in _containers.Values.Where(c => !c.IsOwn))
        {
            using var attempt = AzureErrors.Attempt(cancellationToken);
            await container.Writes.CreateIfNotExistsAsync(cancellationToken: attempt.Token).ConfigureAwait(false);
        }
    }

    public void Dispose()
    {
        _ofMail.Dispose();
        _ofRest.Dispose();
    }

    private BlobServiceClient? Account(AzureStoreOptions options, BlobClientOptions client)
    {
        const string Setting = "Spool:Azure";
        if (options.Account.Length == 0) return null;
        if (!Uri.TryCreate(options.Account, UriKind.Absolute, out var uri) || uri.Scheme is not ("https" or "http"))
        {
            try
            {
                return new BlobServiceClient(options.Account, client);
            }
            catch (Exception failure) when (failure is FormatException or ArgumentException or IndexOutOfRangeException)
            {
                // The library's text may quote what it could not read: the key.
                throw new StoreUnavailableException($"{Setting}: is neither a connection string nor an address.");
            }
        }

        if (uri.Query.Contains("sig=", StringComparison.Ordinal)) return new BlobServiceClient(Bare(uri), new AzureSasCredential(uri.Query), client);
        if (uri.Scheme == "http") throw new StoreUnavailableException($"{Setting}: workload identity needs an https address.");
        return new BlobServiceClient(uri, _identity.Value, client);
    }

    private AzureContainer Own(string name, Uri uri)
    {
        var credential = new AzureSasCredential(uri.Query);
        var signed = HttpUtility.ParseQueryString(uri.Query);
        return new AzureContainer(
            name, $"Spool:Containers:{name}", new BlobContainerClient(Bare(uri), credential, Options(name, retries: 2)), new BlobContainerClient(Bare(uri), credential, Options(name, retries: 0)),
            MayOnlyCreate(signed), IsOwn: true, Ends(signed));
    }

    /// <summary>`se`, a time of ISO 8601 that is UTC. One by a stored policy may have its end there.</summary>
    private static DateTimeOffset? Ends(NameValueCollection signed) =>
        DateTimeOffset.TryParse(signed["se"], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var end) ? end : null;

    /// <summary>Only a SAS signed with the account's key holds its permissions in itself: a delegated one (`skoid`) or one by a stored policy (`si`) may have lost them since.</summary>
    private static bool MayOnlyCreate(NameValueCollection signed) =>
        signed["sp"] is { } permissions && permissions.Contains('c', StringComparison.Ordinal) && !permissions.Contains('w', StringComparison.Ordinal) && signed["skoid"] is null && signed["si"] is null;

    private static Uri Bare(Uri uri) => new UriBuilder(uri) { Query = "" }.Uri;

    private BlobClientOptions Options(string container, int retries)
    {
        var options = new BlobClientOptions(Version) { Transport = (container is "spool" or "moved" ? _ofMail : _ofRest).Transport };
        options.Retry.MaxRetries = retries;
        options.Retry.Mode = RetryMode.Exponential;
        options.Retry.Delay = TimeSpan.FromMilliseconds(100);
        options.Retry.MaxDelay = TimeSpan.FromSeconds(1);
        options.Retry.NetworkTimeout = TimeSpan.FromSeconds(retries > 0 ? 10 : 60);
        (options.Diagnostics.IsLoggingEnabled, options.Diagnostics.IsTelemetryEnabled, options.Diagnostics.IsDistributedTracingEnabled) = (false, false, false);
        options.Request100ContinueOptions = new global::Azure.Storage.Request100ContinueOptions { Mode = global::Azure.Storage.Request100ContinueMode.Never };
        options.AddPolicy(new CountingPolicy(container), HttpPipelinePosition.BeforeTransport);
        foreach (var policy in _policies) options.AddPolicy(policy, HttpPipelinePosition.BeforeTransport);
        return options;
    }

    private sealed class Connections : IDisposable
    {
        private readonly HttpClient _http;

        public Connections()
        {
            _http = new HttpClient(new SocketsHttpHandler
            {
                UseProxy = false, UseCookies = false, AllowAutoRedirect = false, MaxConnectionsPerServer = MaxConnections, ConnectTimeout = TimeSpan.FromSeconds(3),
                PooledConnectionIdleTimeout = TimeSpan.FromMinutes(1), PooledConnectionLifetime = TimeSpan.FromMinutes(10),
            }) { Timeout = Timeout.InfiniteTimeSpan };
            Transport = new HttpClientTransport(_http);
        }

        public HttpClientTransport Transport { get; }

        public void Dispose()
        {
            Transport.Dispose();
            _http.Dispose();
        }
    }
}
