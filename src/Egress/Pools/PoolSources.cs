using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using Angarium.Contracts.EgressPools;
using Angarium.Egress.Proxies;
using Angarium.Egress.Sessions;
using Microsoft.Extensions.Logging;

namespace Angarium.Egress.Pools;

/// <summary>
/// The addresses and proxies of one pool, used in turn by its connections. An address that cannot be bound on this machine, and a proxy that cannot be used, is left out until it can, and without any the process takes no
/// session of the pool: that is our own trouble, and no site's. One that an operator suspended is left out until the silos say otherwise. Any thread; what is left out is forgotten with the process.
/// </summary>
internal sealed partial class PoolSources
{
    public static readonly TimeSpan TriedAgainAfter = TimeSpan.FromMinutes(1);

    /// <summary>Proxies, which may have been restarted.</summary>
    public static readonly TimeSpan ProxyTriedAgainAfter = TimeSpan.FromSeconds(10);

    private readonly string pool;
    private readonly Source[] sources;
    private readonly Family four, six;
    private readonly TimeProvider time;
    private readonly ILogger log;
    private readonly Lock gate = new();
    private int lost;
    private volatile string[] suspended = [];

    /// <param name="pool">Whose they are.</param>
    /// <param name="setting">Where they stand.</param>
    /// <param name="addresses">None = the system's choice.</param>
    /// <param name="time">For <see cref="TriedAgainAfter"/>.</param>
    /// <param name="log">Where it is said what cannot be used.</param>
    public PoolSources(string pool, string setting, IReadOnlyList<PoolAddress> addresses, TimeProvider time, ILogger log)
    {
        (this.pool, Setting, this.time, this.log) = (pool, setting, time, log);
        sources = [.. addresses.Select(address => new Source(address))];
        (four, six) = (Of(AddressFamily.InterNetwork), Of(AddressFamily.InterNetworkV6));
    }

    /// <summary>Why an address cannot be bound here; null = it can. A seam for tests.</summary>
    internal Func<IPAddress, string?> Bind { get; init; } = BindNow;

    /// <summary>Why a proxy does not take us; null = it does. A seam for tests.</summary>
    internal Func<SocksProxy, Task<string?>> Reach { get; init; } = ReachNowAsync;

    public string Setting { get; }

    public string Pool => pool;

    /// <summary>What those without a name of their own greet with, as it was at the start.</summary>
    public string? Hostname { get; init; }

    /// <summary>There is one to send from now: on this machine, and not suspended.</summary>
    public bool MaySend
    {
        get
        {
            if (suspended.Length == 0) return IsUsable;
            lock (gate)
            {
                TryAgain();
                return sources.Length == 0 ? !IsSuspended(PoolAddress.OfSystem) : Array.Exists(sources, source => !source.IsLost && !IsSuspended(source.Address));
            }
        }
    }

    /// <summary>There is one on this machine to send from.</summary>
    public bool IsUsable
    {
        get
        {
            if (Volatile.Read(ref lost) == 0) return true;
            lock (gate)
            {
                TryAgain();
                return lost < sources.Length;
            }
        }
    }

    /// <summary>Those of a pool that this process serves.</summary>
    public static PoolSources Of(string pool, EgressOptions options, TimeProvider time, ILogger log)
    {
        var setting = options.Pools.ContainsKey(pool) ? $"Egress:Pools:{pool}" : options.Proxy is { Length: > 0 } ? "Egress:Proxy" : "Egress:Source";
        return new PoolSources(pool, setting, AddressesOf(pool, options), time, log) { Hostname = options.Hostname };
    }

    /// <summary>Of a pool, as the settings have them, which were looked at when the process started; none = the system's choice.</summary>
    public static IReadOnlyList<PoolAddress> AddressesOf(string pool, EgressOptions options)
    {
        var proxy = options.Proxy is { Length: > 0 } named ? SocksProxy.TryParse(named, out var found, out var wrong) ? found : throw new ArgumentException(wrong, nameof(options)) : null;
        IReadOnlyList<PoolAddress> addresses = options.Pools.TryGetValue(pool, out var text) ? PoolAddress.TryParse(text, out var parsed, out var error) ? parsed : throw new ArgumentException(error, nameof(options))
            : pool == PoolName.Default ? [.. options.Source.Select(a => new PoolAddress(IPAddress.Parse(a), null))] : [];
        // What leaves the source to the system goes through the proxy of all.
        if (addresses.Count == 0 && proxy is not null) addresses = [PoolAddress.OfSystem];
        return [.. addresses.Select(a => (a.Proxy ?? (a.Address is null ? proxy : null)) is { } through ? a with { Proxy = through with { LoginFile = options.ProxyPassword is { Length: > 0 } login ? login : null } } : a)];
    }

    /// <summary>Tries all of them, so that who has started the process reads at once what is wrong.</summary>
    public void Probe()
    {
        EgressInstruments.Sources.WithLabels(pool).Set(Math.Max(1, sources.Length));
        Tell();
        foreach (var source in sources)
        {
            if (source.Address.Proxy is not null) _ = ReachAsync(source);
            else if (source.Address.Address is { } address && Bind(address) is { } reason) Lose(source.Address, reason);
        }
    }

    /// <summary>The next for a destination of this family; false = there is none, or none that can be used.</summary>
    public bool TryChoose(AddressFamily family, [NotNullWhen(true)] out PoolAddress? chosen)
    {
        chosen = PoolAddress.OfSystem;
        if (sources.Length == 0) return !IsSuspended(chosen);
        if (Volatile.Read(ref lost) > 0) lock (gate) TryAgain();
        var of = family == AddressFamily.InterNetworkV6 ? six : four;
        var start = (uint)Interlocked.Increment(ref of.Next);
        for (var i = 0u; i < of.Sources.Length; i++)
        {
            var source = of.Sources[(start + i) % (uint)of.Sources.Length];
            if (source.IsLost || IsSuspended(source.Address)) continue;
            chosen = source.Address;
            return true;
        }

        chosen = null;
        return false;
    }

    /// <summary>It has some of this family, whether they can be used now or not.</summary>
    public bool HasOf(AddressFamily family) => sources.Length == 0 || (family == AddressFamily.InterNetworkV6 ? six : four).Sources.Length > 0;

    /// <summary>What operators suspended, by address or name; true = that is not what it was.</summary>
    public bool Suspend(string[] names)
    {
        if (suspended.AsSpan().SequenceEqual(names)) return false;
        var before = Suspended();
        suspended = names;
        if (Suspended() is var after && after != before) LogSuspended(log, pool, after.Length > 0 ? after : "none");
        return true;

        string Suspended() => string.Join(", ", (sources.Length == 0 ? [PoolAddress.OfSystem] : sources.Select(source => source.Address)).Where(IsSuspended).Select(address => address.Source ?? address.Name ?? Hostname));
    }

    public bool IsSuspended(PoolAddress address)
    {
        var names = suspended;
        return names.Length > 0 && (address.Source is { } own && Array.IndexOf(names, own) >= 0 || names.Contains(address.Name ?? Hostname, StringComparer.OrdinalIgnoreCase));
    }

    /// <summary>It could not be bound, or used, just now.</summary>
    public void Lose(PoolAddress address, string reason)
    {
        lock (gate)
        {
            if (Array.Find(sources, s => ReferenceEquals(s.Address, address)) is not { IsLost: false } source) return;
            (source.IsLost, source.TriedAt) = (true, time.GetTimestamp());
            lost++;
            Tell();
            if (address.Proxy is { } proxy) LogProxyLost(log, pool, proxy, reason);
            else LogLost(log, pool, address.Address, reason);
            if (lost == sources.Length) LogNone(log, pool, Setting);
        }
    }

    private void TryAgain()
    {
        foreach (var source in sources)
        {
            if (!source.IsLost || time.GetElapsedTime(source.TriedAt) < (source.Address.Proxy is null ? TriedAgainAfter : ProxyTriedAgainAfter)) continue;
            source.TriedAt = time.GetTimestamp();
            if (source.Address.Proxy is not null) _ = ReachAsync(source);
            else if (Bind(source.Address.Address!) is null) Find(source);
        }
    }

    // Its connection takes time, which nobody waits for: until then it is as it was.
    private async Task ReachAsync(Source source)
    {
        if (source.IsReached) return;
        source.IsReached = true;
        var reason = await Reach(source.Address.Proxy!);
        lock (gate)
        {
            source.IsReached = false;
            if (reason is not null) Lose(source.Address, reason);
            else if (source.IsLost) Find(source);
        }
    }

    private void Find(Source source)
    {
        source.IsLost = false;
        lost--;
        Tell();
        LogFound(log, pool, source.Address.Source);
    }

    private void Tell() => EgressInstruments.UsableSources.WithLabels(pool).Set(Math.Max(1, sources.Length) - lost);

    private Family Of(AddressFamily family) => new([.. sources.Where(s => s.Address.Address is null || s.Address.Address.AddressFamily == family)]);

    private static string? BindNow(IPAddress address)
    {
        using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(address, 0));
            return null;
        }
        catch (SocketException e)
        {
            return e.Message;
        }
    }

    private static async Task<string?> ReachNowAsync(SocksProxy proxy)
    {
        using var limit = new CancellationTokenSource(ProxyTriedAgainAfter);
        try
        {
            using var socket = await SocksClient.OpenAsync(proxy, limit.Token);
            return null;
        }
        catch (AttemptException e)
        {
            return e.Message;
        }
    }

    [LoggerMessage(4880, LogLevel.Warning, "Pool {Pool}: {Address} cannot be sent from on this machine and is left out until it can: {Reason}")]
    private static partial void LogLost(ILogger logger, string pool, IPAddress? address, string reason);

    [LoggerMessage(4881, LogLevel.Error, "Pool {Pool}: nothing of {Setting} can be sent from: this process takes none of the pool's mail until something can")]
    private static partial void LogNone(ILogger logger, string pool, string setting);

    [LoggerMessage(4889, LogLevel.Warning, "Pool {Pool}: sources that operators have suspended: {Sources}")]
    private static partial void LogSuspended(ILogger logger, string pool, string sources);

    [LoggerMessage(4882, LogLevel.Information, "Pool {Pool}: {Source} can be sent from again")]
    private static partial void LogFound(ILogger logger, string pool, string? source);

    [LoggerMessage(4884, LogLevel.Warning, "Pool {Pool}: the proxy {Proxy} cannot be used and is left out until it can: {Reason}")]
    private static partial void LogProxyLost(ILogger logger, string pool, SocksProxy proxy, string reason);

    /// <summary>Changed under the lock, read without.</summary>
    private sealed class Source(PoolAddress address)
    {
        private volatile bool isLost;

        public PoolAddress Address => address;

        public bool IsLost
        {
            get => isLost;
            set => isLost = value;
        }

        public long TriedAt { get; set; }

        /// <summary>A proxy: it is being looked at.</summary>
        public bool IsReached { get; set; }
    }

    /// <summary>Those that reach one family, and whose turn it is.</summary>
    private sealed class Family(Source[] sources)
    {
        public int Next;

        public Source[] Sources => sources;
    }
}
