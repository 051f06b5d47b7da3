using System.Text;
using Angarium.Mail;

namespace Angarium.Simulation.World;

/// <summary>
/// One connection to a receiver, as the worker's end sees it. What is written is parsed at once, takes effect at the peer after the way there, and is answered in order. In the steps of the
/// worker and of the world outside.
/// </summary>
internal sealed class SimPeerStream : Stream
{
    private readonly SimWorld _world;
    private readonly SimWorker _worker;
    private readonly List<byte> _input = [];
    private readonly Queue<byte[]> _replies = new();
    private readonly List<string> _recipients = [];
    private TaskCompletionSource? _arrived;
    private bool _isData, _isDeaf, _isCut, _isOver;
    private int _unread;
    private long _free;

    public SimPeerStream(SimWorld world, SimWorker worker, string pool, string host)
    {
        (_world, _worker, Pool, Host, OpenedAt) = (world, worker, pool, host, world.Loop.Now);
        worker.Connections.Add(this);
        var isBusy = world.Loop.Chance(world.Rudeness / 4);
        if (isBusy) world.Peers.Failed();
        Answer(isBusy ? "421 too busy" : "220 ready", 0, isLast: isBusy);
    }

    /// <summary>From whose addresses it comes.</summary>
    public string Pool { get; }

    public string Host { get; }

    public StoreTime OpenedAt { get; }

    /// <summary>Since when it has been in a transaction, or waiting to begin one; null = its worker could close it.</summary>
    public StoreTime? BusySince { get; private set; }

    /// <summary>Its worker closes it as soon as its transaction has ended; should it begin another, it counts again.</summary>
    public bool IsEnding { get; set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public void Closed()
    {
        _isOver = true;
        _worker.Connections.Remove(this);
        _arrived?.TrySetResult();
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_isOver, this);
        if (_isCut) throw new IOException("cut");
        _input.AddRange(buffer.Span);
        Parse();
        return default;
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (_replies.Count == 0)
        {
            ObjectDisposedException.ThrowIf(_isOver, this);
            if (_isCut) return 0;
            _arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            await _arrived.Task;
        }

        var reply = _replies.Dequeue();
        if (--_unread == 0 && _recipients.Count == 0) BusySince = null;
        reply.CopyTo(buffer);
        return reply.Length;
    }

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing && !_isOver) Closed();
        base.Dispose(disposing);
    }

    private void Parse()
    {
        var bytes = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_input);
        var at = 0;
        while (!_isDeaf)
        {
            var end = bytes[at..].IndexOf(_isData ? "\r\n.\r\n"u8 : "\r\n"u8);
            if (end < 0) break;
            var part = bytes.Slice(at, end + 2);
            at += end + (_isData ? 5 : 2);
            if (_isData) Content(part.ToArray());
            else Command(Encoding.Latin1.GetString(part[..^2]));
        }

        _input.RemoveRange(0, _isDeaf ? _input.Count : at);
    }

    private void Command(string line)
    {
        if (line.StartsWith("EHLO", StringComparison.Ordinal)) Answer(_world.Pipelining ? "250-peer\r\n250-PIPELINING\r\n250 8BITMIME" : "250 peer", 0);
        else if (line.StartsWith("MAIL", StringComparison.Ordinal)) Mail();
        else if (line.StartsWith("RCPT", StringComparison.Ordinal)) Recipient(line[(line.IndexOf('<') + 1)..line.IndexOf('>')]);
        else if (line.StartsWith("DATA", StringComparison.Ordinal)) Data();
        else if (line.StartsWith("RSET", StringComparison.Ordinal)) Answer("250 ok", 0);
        else if (line.StartsWith("QUIT", StringComparison.Ordinal)) Answer("221 bye", 0);
        else _world.Account.Wrongs.Add("a peer did not understand: " + line);
    }

    private void Mail()
    {
        IsEnding = false;
        _recipients.Clear();
        Answer("250 ok", 0);
    }

    private void Recipient(string address)
    {
        var dice = address.EndsWith("@s.test", StringComparison.Ordinal) ? 1 : _world.Loop.Random.NextDouble();
        var code = dice < _world.Rudeness ? 450 : dice < _world.Rudeness * 1.4 ? 550 : 250;
        if (code == 250) _recipients.Add(address);
        else _world.Account.Failed(address, code);
        Answer(code == 250 ? "250 ok" : code + " no", Slow(0.7));
    }

    private void Data()
    {
        if (_recipients.Count == 0)
        {
            Answer("503 nobody", 0);
            return;
        }

        _isData = true;
        Answer("354 go on", 0);
    }

    private void Content(byte[] stuffed)
    {
        _isData = false;
        // Nobody here writes lines that begin with a dot.
        var content = stuffed;
        string[] recipients = [.. _recipients];
        _recipients.Clear();
        if (_world.Poison is { } poison && recipients.Contains(poison))
        {
            _world.Poisoned(_worker);
            return;
        }

        var found = new List<(SimRecipient Recipient, string Address)>();
        foreach (var address in recipients)
        {
            if (_world.Account.Find(_worker, address, content) is { } recipient) found.Add((recipient, address));
            else _world.Account.Wrongs.Add($"{address} was sent and is nobody's, or nobody's now, by {_worker.Process.Name}");
        }

        foreach (var (recipient, _) in found) _world.Account.Dot(_worker, recipient);
        var dice = recipients[0].EndsWith("@s.test", StringComparison.Ordinal) ? 1 : _world.Loop.Random.NextDouble();
        var rude = _world.Rudeness;
        if (dice < rude / 2)
        {
            // Cut before it took the message.
            foreach (var (recipient, _) in found) _world.Account.Failed(recipient.Address, 0);
            Cut(_world.Loop.Random.Next(1, 40));
            return;
        }

        if (dice < rude * 1.2)
        {
            var code = dice < rude ? 451 : 554;
            foreach (var (recipient, _) in found) _world.Account.Failed(recipient.Address, code);
            Answer(code + " no", Slow(1));
            return;
        }

        var isCut = dice < rude * 1.6;
        if (isCut)
        {
            foreach (var (recipient, _) in found) _world.Account.Failed(recipient.Address, 0);
        }

        var way = _world.Loop.Random.Next(1, 40);
        _world.Loop.Outside.At(way, () =>
        {
            foreach (var (recipient, _) in found) _world.Account.Delivered(_worker, recipient, content, isCut);
        });
        if (isCut) Cut(_world.Loop.Random.Next(40, 80));
        else if (dice < rude * 1.7) Answer("250 and goodbye", way + Slow(1), then: "421 enough", isLast: true);
        else Answer("250 taken", way + Slow(1));
    }

    private long Slow(double share) => _world.Loop.Chance(_world.Slowness * share) ? _world.Loop.Random.Next(0, 90_000) : 0;

    // In order, each after the way back and forth.
    private void Answer(string text, long extra, string? then = null, bool isLast = false)
    {
        _isDeaf |= isLast;
        _unread++;
        BusySince ??= _world.Loop.Now;
        var now = _world.Loop.Now.Milliseconds;
        _free = Math.Max(_free, now + _world.Loop.Random.Next(2, 60) + extra);
        _worker.Process.At(_free - now, () =>
        {
            if (_isOver || _isCut) return;
            _replies.Enqueue(Encoding.Latin1.GetBytes(text + "\r\n" + (then is null ? "" : then + "\r\n")));
            _arrived?.TrySetResult();
        });
        if (isLast) Cut((int)(_free - now) + 5);
    }

    private void Cut(int after)
    {
        _isDeaf = true;
        _worker.Process.At(after, () =>
        {
            _isCut = true;
            _arrived?.TrySetResult();
        });
    }
}
