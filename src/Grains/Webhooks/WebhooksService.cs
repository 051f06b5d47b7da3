using System.IO.Hashing;
using System.Text;
using Angarium.Contracts.Configuration;
using Angarium.Grains.Membership;
using Angarium.Grains.Tenants;
using Angarium.Mail.Tenants;
using Angarium.Spool.Documents;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains.Webhooks;

/// <summary>
/// Runs the webhooks of this silo's share of the tenants (by rendezvous hash; an overlap posts something twice): looks every half minute, and at once on a hint or when the share is another one, which
/// there are, and reads the ledger once for all that are up to date. A background service; all that has to survive a crash is in the documents of the couriers.
/// </summary>
internal sealed partial class WebhooksService(
    WebhookOffice office, IDocumentStore documents, ISilos silos, WebhookHints hints, ISettings<WebhooksOptions> settings, TimeProvider time, ILogger<WebhooksService> log) : BackgroundService
{
    private const int Concurrency = 8;

    private static readonly TimeSpan s_lookEvery = TimeSpan.FromSeconds(30), s_pause = TimeSpan.FromSeconds(1);

    private readonly Dictionary<string, (string? Tag, TenantWebhook[] Webhooks)> _tenants = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Tenant, string Webhook), Running> _running = [];
    private volatile WebhookCourier[] _couriers = [];
    private volatile Share _share = new([], []);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await Task.WhenAll(LookAsync(stoppingToken), ReadAsync(stoppingToken));
        }
        finally
        {
            foreach (var key in _running.Keys.ToArray()) await EndAsync(key);
        }
    }

    /// <summary>One look: every webhook of this silo's tenants has a courier, and no other has.</summary>
    internal async Task PassAsync(CancellationToken stoppingToken)
    {
        var names = await documents.ListAsync(WebhookMarker.Prefix, stoppingToken);
        string[] all = [.. names.Select(name => name[WebhookMarker.Prefix.Length..]).Where(tenant => TenantName.IsTenant(tenant))];
        var mine = all.Where(tenant => silos.IsMine(Item(tenant))).ToHashSet(StringComparer.Ordinal);
        _share = new Share(all, mine);
        foreach (var gone in _tenants.Keys.Where(tenant => !mine.Contains(tenant)).ToArray()) _tenants.Remove(gone);
        foreach (var some in mine.Chunk(Concurrency))
            foreach (var read in await Task.WhenAll(some.Select(tenant => ReadAsync(tenant, _tenants.GetValueOrDefault(tenant), stoppingToken))))
                _tenants[read.Tenant] = read.Known;

        var wanted = _tenants.SelectMany(t => t.Value.Webhooks ?? [], (t, webhook) => (Tenant: t.Key, Webhook: webhook)).Where(w => w.Webhook.DisabledSince is null).ToDictionary(w => (w.Tenant, w.Webhook.Id), w => w.Webhook);
        foreach (var key in _running.Where(r => !wanted.ContainsKey(r.Key) || r.Value.Run.IsCompleted).Select(r => r.Key).ToArray()) await EndAsync(key);
        foreach (var (key, webhook) in wanted)
        {
            if (_running.TryGetValue(key, out var running)) running.Courier.Define(webhook);
            else _running[key] = Running.Start(new WebhookCourier(key.Tenant, webhook, office, log), stoppingToken);
        }

        _couriers = [.. _running.Values.Select(r => r.Courier)];
    }

    private static ulong Item(string tenant) => XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(WebhookMarker.Prefix + tenant));

    private async Task LookAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            try
            {
                await PassAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                // Those that run go on.
                LogFailed(log, e.Message);
            }

            await hints.WaitAsync(s_lookEvery, time, stoppingToken);
        }
    }

    private async Task ReadAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            try
            {
                if (office.Feed.IsWanted) await office.Feed.ReadAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogNotRead(log, e.Message);
                await Task.Delay(s_pause, time, stoppingToken);
            }

            WebhookInstruments.Behind.Set(_couriers.Count(c => !c.IsUpToDate));
            // Silos came or went: whoever goes on is not waited for, and whoever has it no more stops.
            if (_share is var share && Array.Exists(share.All, tenant => silos.IsMine(Item(tenant)) != share.Mine.Contains(tenant))) hints.Changed();
            await Task.Delay(settings.Current.Every, time, stoppingToken);
        }
    }

    private async Task<(string Tenant, (string? Tag, TenantWebhook[] Webhooks) Known)> ReadAsync(string tenant, (string? Tag, TenantWebhook[] Webhooks) known, CancellationToken stoppingToken)
    {
        var (hasChanged, document) = await documents.ReadIfChangedAsync("tenants/" + tenant, known.Tag, stoppingToken);
        if (!hasChanged) return (tenant, known);
        try
        {
            return (tenant, (document?.Tag, document is null ? [] : TenantRecord.Parse(document.Content, tenant).Webhooks));
        }
        catch (InvalidDataException e)
        {
            LogFailed(log, e.Message);
            return (tenant, (document?.Tag, []));
        }
    }

    private async Task EndAsync((string Tenant, string Webhook) key)
    {
        if (!_running.Remove(key, out var running)) return;
        await running.EndAsync();
    }

    [LoggerMessage(2864, LogLevel.Warning, "Which webhooks there are cannot be seen now, and is looked at again: {Error}")]
    private static partial void LogFailed(ILogger logger, string error);

    [LoggerMessage(2865, LogLevel.Warning, "The ledger cannot be read for webhooks now, and is read again: {Error}")]
    private static partial void LogNotRead(ILogger logger, string error);

    /// <summary>The tenants that have webhooks, and this silo's of them, as they were at the last look.</summary>
    private sealed record Share(string[] All, HashSet<string> Mine);

    /// <summary>A courier at work.</summary>
    private sealed record Running(WebhookCourier Courier, CancellationTokenSource Stop, Task Run)
    {
        public static Running Start(WebhookCourier courier, CancellationToken stoppingToken)
        {
            var stop = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
            return new Running(courier, stop, Task.Run(() => courier.RunAsync(stop.Token), CancellationToken.None));
        }

        public async Task EndAsync()
        {
            await Stop.CancelAsync();
            await Run;
            Stop.Dispose();
        }
    }
}
