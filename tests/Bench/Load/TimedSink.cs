using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Angarium.Bench.Load;

/// <summary>
/// A receiver that notes when each numbered message's final dot arrives, answers late if it is told to, or refuses every recipient for now. PIPELINING and 8BITMIME. A thread a connection, on blocking sockets.
/// </summary>
internal sealed class TimedSink : IDisposable
{
    private readonly Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly Action<int> arrived;
    private readonly TimeSpan delay;
    private readonly bool refuses;
    private int count, refused;

    /// <param name="port">Of loopback.</param>
    /// <param name="arrived">Told the number of each message taken.</param>
    /// <param name="delay">Before each reply.</param>
    /// <param name="refuses">RCPT is answered 451.</param>
    public TimedSink(int port, Action<int> arrived, TimeSpan delay = default, bool refuses = false)
    {
        (this.arrived, this.delay, this.refuses) = (arrived, delay, refuses);
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, port));
        listener.Listen(2048);
        new Thread(Accept) { IsBackground = true }.Start();
    }

    public int Count => Volatile.Read(ref count);

    public int Refused => Volatile.Read(ref refused);

    public void Dispose() => listener.Dispose();

    private void Accept()
    {
        try
        {
            while (true)
            {
                var socket = listener.Accept();
                new Thread(() => Serve(socket), 256 << 10) { IsBackground = true }.Start();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The run is over.
        }
    }

    private void Serve(Socket socket)
    {
        using (socket)
        {
            socket.NoDelay = true;
            var input = new byte[64 << 10];
            var replies = new List<byte>();
            var (end, isData, number) = (0, false, -1);
            try
            {
                socket.Send("220 sink.test ESMTP\r\n"u8);
                while (true)
                {
                    var got = socket.Receive(input, end, input.Length - end, SocketFlags.None);
                    if (got == 0) return;
                    end += got;
                    var at = 0;
                    while (input.AsSpan(at, end - at).IndexOf("\r\n"u8) is >= 0 and var length)
                    {
                        var line = input.AsSpan(at, length);
                        at += length + 2;
                        if (isData)
                        {
                            if (number < 0 && line.StartsWith("X-Bench: "u8)) number = int.Parse(line["X-Bench: ".Length..]);
                            if (!line.SequenceEqual("."u8)) continue;
                            isData = false;
                            if (number >= 0) arrived(number);
                            Interlocked.Increment(ref count);
                            number = -1;
                        }

                        var reply = ReplyTo(line, ref isData);
                        if (delay > TimeSpan.Zero) Thread.Sleep(delay);
                        replies.AddRange(reply);
                        if (!line.StartsWith("QUIT"u8)) continue;
                        socket.Send(replies.ToArray());
                        return;
                    }

                    // Lines longer than the buffer are nobody's here.
                    input.AsSpan(at, end - at).CopyTo(input);
                    end -= at;
                    if (replies.Count > 0) socket.Send(replies.ToArray());
                    replies.Clear();
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // The relay is gone.
            }
        }
    }

    private ReadOnlySpan<byte> ReplyTo(ReadOnlySpan<byte> line, ref bool isData)
    {
        if (line.StartsWith("EHLO"u8)) return "250-sink.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n"u8;
        if (refuses && line.StartsWith("RCPT"u8))
        {
            Interlocked.Increment(ref refused);
            return "451 4.2.1 not now\r\n"u8;
        }

        if (line.StartsWith("DATA"u8))
        {
            if (refuses) return "503 5.5.1 nobody\r\n"u8;
            isData = true;
            return "354 go on\r\n"u8;
        }

        return line.StartsWith("QUIT"u8) ? "221 bye\r\n"u8 : "250 2.0.0 ok\r\n"u8;
    }
}
