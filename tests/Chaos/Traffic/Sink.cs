using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Angarium.Chaos.Accounting;

namespace Angarium.Chaos.Traffic;

/// <summary>
/// The receivers of the world: an SMTP server at each MX address, behaving as its site does by seeded chance. What it takes is in its own book before it replies. It counts
/// the connections that each site holds, but for those of processes that are stopped or cut off. A task a connection; the counts under one lock.
/// </summary>
internal sealed class Sink : IDisposable
{
    private readonly Books books;
    private readonly Func<string, (string Name, bool IsExcused)> peerAt;
    private readonly Lock gate = new();
    private readonly Dictionary<string, SiteState> states;
    private readonly ConcurrentDictionary<string, int> attempts = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, byte> settled = new(StringComparer.Ordinal);
    private long sequence, arrivals, draws;

    /// <param name="world">Sites and chances.</param>
    /// <param name="books">What it takes is noted here.</param>
    /// <param name="peerAt">Name of the process at an address, and whether it is stopped or cut off just now.</param>
    public Sink(World world, Books books, Func<string, (string Name, bool IsExcused)> peerAt)
    {
        World = world;
        this.books = books;
        this.peerAt = peerAt;
        states = world.Sites.ToDictionary(s => s.Name, s => new SiteState(s));
        foreach (var state in states.Values) Open(state);
    }

    public World World { get; }

    /// <summary>Recipients taken.</summary>
    public long Arrivals => Interlocked.Read(ref arrivals);

    /// <summary>Whether this recipient was taken, or a notice that names it.</summary>
    public bool IsSettled(string recipient) => settled.ContainsKey(recipient);

    /// <summary>The most connections that each site ever held at once, excused ones excepted, by falling count; with when that was and from whom.</summary>
    public IReadOnlyList<(string Site, int Most, string Was)> MostConnections
    {
        get { lock (gate) return states.Values.Select(s => (s.Site.Name, s.Most, s.MostWas)).OrderByDescending(s => s.Most).ToList(); }
    }

    /// <summary>The most connections that each process ever held at once.</summary>
    public IReadOnlyDictionary<string, int> MostByPeer
    {
        get { lock (gate) return new Dictionary<string, int>(mostByPeer); }
    }

    private readonly Dictionary<string, int> mostByPeer = [];

    /// <summary>The connections that a process holds now count no more: it was stopped or cut off, and nobody knows when they end.</summary>
    public void Excuse(string peer)
    {
        lock (gate)
        {
            foreach (var connection in states.Values.SelectMany(s => s.Connections).Where(c => c.Peer == peer)) connection.IsExcused = true;
        }
    }

    /// <summary>A site is gone: nothing listens, and its connections are reset.</summary>
    public void Close(string site)
    {
        var state = states[site];
        List<Socket> sockets;
        lock (gate)
        {
            foreach (var listener in state.Listeners) listener.Dispose();
            state.Listeners.Clear();
            sockets = state.Connections.Select(c => c.Socket).ToList();
        }

        foreach (var socket in sockets) socket.Close(0);
    }

    /// <summary>From now on the site behaves so, in connections that are open too.</summary>
    public void Behave(string site, Func<Site, Site> change) => states[site].Behaviour = change(states[site].Site);

    public void Reopen(string site) => Open(states[site]);

    public void Dispose()
    {
        foreach (var site in states.Keys) Close(site);
    }

    internal bool Draw(string what, double share) => World.Chance(what, Interlocked.Increment(ref draws)) < share;

    /// <summary>How often a recipient was offered.</summary>
    public int Attempts(string recipient) => attempts.GetValueOrDefault(recipient);

    internal int Attempt(string recipient) => attempts.AddOrUpdate(recipient, 1, (_, n) => n + 1);

    /// <summary>Notes what was taken, before its reply; the sequence number under which the reply is noted.</summary>
    internal long Take(string peer, string sender, IReadOnlyList<string> recipients, byte[] content, DateTimeOffset began, DateTimeOffset dot)
    {
        var number = Interlocked.Increment(ref sequence);
        var (message, id, intact) = Message.Read(content);
        books.Note(recipients.Select(r => new Arrival(number, message, id, peer, r, intact, began, dot, null)).ToList());
        foreach (var recipient in recipients) settled[recipient] = 0;
        if (sender.Length == 0 && Message.FailedRecipients(content) is { Count: > 0 } failed)
        {
            books.Note(failed.Select(f => new Bounce(f, dot)).ToList());
            foreach (var recipient in failed) settled[recipient] = 0;
        }

        Interlocked.Add(ref arrivals, recipients.Count);
        return number;
    }

    internal void Answered(long number) => books.NoteAnswer(number, DateTimeOffset.UtcNow);

    private void Open(SiteState state)
    {
        lock (gate)
        {
            foreach (var address in state.Site.Addresses)
            {
                var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
                listener.Bind(new IPEndPoint(IPAddress.Parse(address), 25));
                listener.Listen(512);
                state.Listeners.Add(listener);
                _ = AcceptAsync(state, listener);
            }
        }
    }

    private async Task AcceptAsync(SiteState state, Socket listener)
    {
        try
        {
            while (true) _ = ServeAsync(state, await listener.AcceptAsync());
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The site was closed.
        }
    }

    private async Task ServeAsync(SiteState state, Socket socket)
    {
        Connection? connection = null;
        try
        {
            connection = Count(state, socket);
            socket.NoDelay = true;
            await using var stream = new NetworkStream(socket, ownsSocket: true);
            await new SinkSession(this, () => state.Behaviour, connection.Peer, socket, stream).RunAsync();
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            // The relay was killed or gave up: what it had not finished was not taken.
        }
        finally
        {
            if (connection is not null)
                lock (gate) state.Connections.Remove(connection);
            socket.Dispose();
        }
    }

    private Connection Count(SiteState state, Socket socket)
    {
        var (name, excused) = peerAt(((IPEndPoint)socket.RemoteEndPoint!).Address.ToString());
        var connection = new Connection(socket, name) { IsExcused = excused };
        lock (gate)
        {
            state.Connections.Add(connection);
            var held = state.Connections.Where(c => !c.IsExcused).ToList();
            // A session that is late with a reply, or that this machine has no time for, does not see at once that its peer has gone.
            if (held.Count > state.Most) held.RemoveAll(c => TcpPeer.HasClosed(c.Socket));
            if (held.Count > state.Most) (state.Most, state.MostWas) = (held.Count, $"at {DateTimeOffset.UtcNow:HH:mm:ss.fff} by {string.Join(", ", held.CountBy(c => c.Peer).Select(p => $"{p.Key} {p.Value}"))}");
            var own = states.Values.Sum(s => s.Connections.Count(c => c.Peer == name));
            mostByPeer[name] = Math.Max(mostByPeer.GetValueOrDefault(name), own);
        }

        return connection;
    }

    private sealed class SiteState(Site site)
    {
        public Site Site { get; } = site;

        /// <summary>Its site, or what it was told to be instead.</summary>
        public volatile Site Behaviour = site;

        public List<Socket> Listeners { get; } = [];

        public HashSet<Connection> Connections { get; } = [];

        public int Most { get; set; }

        /// <summary>When it held the most, and from whom.</summary>
        public string MostWas { get; set; } = "";
    }

    private sealed class Connection(Socket socket, string peer)
    {
        public Socket Socket { get; } = socket;

        public string Peer { get; } = peer;

        public bool IsExcused { get; set; }
    }
}
