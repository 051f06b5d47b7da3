using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Angarium.Contracts.Configuration;
using Angarium.Ingress.Content;
using Angarium.Ingress.Overload;
using Angarium.Mail;
using Angarium.Mail.Status;

namespace Angarium.Ingress.Sessions;

/// <summary>
/// All connections of this process: how many there are in all and of one client, which of them have waited too long, and how they end on shutdown. Connections
/// come and go on any thread; <see cref="Sweep"/> runs on one timer.
/// </summary>
internal sealed class ConnectionRegistry(ISettings<IngressOptions> settings, GatherBudget budget, TimeProvider time, MemoryGuard? memory = null)
{
    public static readonly Reply TooMany = new(421, MailStatus.NotAccepting, "Too many connections, try again later");
    public static readonly Reply TooManyOfClient = new(421, new EnhancedStatus(4, 7, 0), "Too many connections from your address");
    public static readonly Reply ShuttingDown = new(421, MailStatus.NotAccepting, "Service is shutting down, try again later");

    private readonly ConcurrentDictionary<ConnectionWatch, bool> _connections = new();
    private readonly Dictionary<IPAddress, int> _perClient = [];
    private readonly TaskCompletionSource _empty = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _count;
    private volatile bool _draining;

    public int Count => Volatile.Read(ref _count);

    public bool IsDraining => _draining;

    /// <summary>Four fifths of the connections or of the memory are taken: clients get less patience.</summary>
    public bool IsOverloaded => Count > settings.Current.MaxConnections / 5.0 * 4 || budget.IsTight || memory is { IsTight: true };

    /// <summary>Takes a connection in; null = <paramref name="refusal"/> is to be answered.</summary>
    public ConnectionWatch? TryAdd(IPAddress client, bool isTrusted, Action abort, out Reply? refusal)
    {
        var limits = settings.Current;
        refusal = null;
        if (_draining)
        {
            refusal = ShuttingDown;
            return null;
        }

        if (Interlocked.Increment(ref _count) > limits.MaxConnections) refusal = TooMany;
        else if (memory is { IsTight: true }) refusal = MemoryGuard.Busy;
        else if (!isTrusted && !TryCount(Group(client), limits.MaxConnectionsPerClient)) refusal = TooManyOfClient;
        if (refusal is not null)
        {
            Leave();
            return null;
        }

        var watch = new ConnectionWatch(client, isTrusted, time, abort);
        _connections.TryAdd(watch, true);
        return watch;
    }

    public void Remove(ConnectionWatch watch)
    {
        if (!_connections.TryRemove(watch, out _)) return;
        if (!watch.IsTrusted) Uncount(Group(watch.Client));
        Leave();
    }

    /// <summary>Ends the waits that were too long, and, once draining, those between transactions.</summary>
    public void Sweep()
    {
        var limits = settings.Current;
        var limit = IsOverloaded ? limits.OverloadTimeout : limits.Timeout;
        var idleEnd = _draining ? SessionEnd.Shutdown : SessionEnd.None;
        foreach (var (watch, _) in _connections) watch.Check(limit, idleEnd);
    }

    /// <summary>Takes no more connections in, ends those between transactions, waits for the others until cancelled, then cuts what is left. Returns how many were cut.</summary>
    public async Task<int> DrainAsync(CancellationToken cancellationToken)
    {
        _draining = true;
        if (Count == 0) _empty.TrySetResult();
        Sweep();
        try
        {
            await _empty.Task.WaitAsync(cancellationToken);
            return 0;
        }
        catch (OperationCanceledException)
        {
            var cut = 0;
            foreach (var (watch, _) in _connections)
            {
                watch.Abort();
                cut++;
            }

            return cut;
        }
    }

    private void Leave()
    {
        if (Interlocked.Decrement(ref _count) == 0 && _draining) _empty.TrySetResult();
    }

    private bool TryCount(IPAddress client, int limit)
    {
        lock (_perClient)
        {
            var count = _perClient.GetValueOrDefault(client);
            if (count >= limit) return false;
            _perClient[client] = count + 1;
            return true;
        }
    }

    private void Uncount(IPAddress client)
    {
        lock (_perClient)
        {
            if (_perClient[client] == 1) _perClient.Remove(client);
            else _perClient[client]--;
        }
    }

    // One IPv6 client has a /64 at least: its addresses count together.
    private static IPAddress Group(IPAddress client)
    {
        if (client.IsIPv4MappedToIPv6) return client.MapToIPv4();
        if (client.AddressFamily != AddressFamily.InterNetworkV6) return client;
        Span<byte> bytes = stackalloc byte[16];
        client.TryWriteBytes(bytes, out _);
        bytes[8..].Clear();
        return new IPAddress(bytes);
    }
}
