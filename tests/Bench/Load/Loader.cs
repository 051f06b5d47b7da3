using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Angarium.Bench.Machine;

namespace Angarium.Bench.Load;

/// <summary>
/// A loader for what smtp-source cannot make: many domains, many recipients, a given rate, and the time of each reply. It speaks as smtp-source does, one command at a time. A thread a session, on
/// blocking sockets. Each message begins with a field that numbers it.
/// </summary>
/// <param name="perSecond">Messages a second over all sessions; 0 = as fast as they are taken.</param>
/// <param name="times">Where to note when each message was sent and answered; null = nowhere.</param>
/// <param name="domain">Of all recipients, by number.</param>
/// <param name="login">How a connection begins; null = as it is, without TLS.</param>
internal sealed class Loader(double perSecond = 0, Times? times = null, Func<int, string>? domain = null, Login? login = null) : ILoad
{
    private static readonly byte[] s_line = Encoding.ASCII.GetBytes(new string('x', 76) + "\r\n");
    private int next;

    public async Task<double> RunAsync(int port, Shape shape, int messages, CancellationToken stop)
    {
        using var self = Process.GetCurrentProcess();
        var before = self.TotalProcessorTime;
        next = 0;
        var began = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Math.Min(shape.Sessions, messages)).Select(_ =>
            Task.Factory.StartNew(() => Session(port, shape, messages, began, stop), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        self.Refresh();
        return (self.TotalProcessorTime - before).TotalSeconds;
    }

    private void Session(int port, Shape shape, int messages, long began, CancellationToken stop)
    {
        var content = Content(shape.Size);
        Connection? connection = null;
        try
        {
            for (int number; (number = Interlocked.Increment(ref next) - 1) < messages;)
            {
                stop.ThrowIfCancellationRequested();
                if (perSecond > 0) WaitUntil(began + (long)(number / perSecond * Stopwatch.Frequency));
                connection ??= new Connection(port, login);
                var name = domain?.Invoke(number) ?? (shape.Domains == 1 ? "sink.test" : $"d{number % shape.Domains}.sink.test");
                connection.Say("MAIL FROM:<load@bench.test>\r\n", '2');
                for (var i = 0; i < shape.Recipients; i++) connection.Say($"RCPT TO:<r{i}-{number}@{name}>\r\n", '2');
                connection.Say("DATA\r\n", '3');
                Number(content, number);
                times?.Sent(number);
                connection.Say(content, '2');
                times?.Answered(number);
                if (shape.Reuse) continue;
                connection.Dispose();
                connection = null;
            }
        }
        finally
        {
            connection?.Dispose();
        }
    }

    private static void WaitUntil(long due)
    {
        for (long left; (left = due - Stopwatch.GetTimestamp()) > 0;) Thread.Sleep(TimeSpan.FromSeconds((double)left / Stopwatch.Frequency));
    }

    private static byte[] Content(int size)
    {
        var content = new List<byte>(size + 128);
        content.AddRange("X-Bench: 0000000000\r\nFrom: load@bench.test\r\nSubject: load\r\n\r\n"u8);
        while (content.Count < size) content.AddRange(s_line);
        content.AddRange(".\r\n"u8);
        return [.. content];
    }

    private static void Number(byte[] content, int number)
    {
        for (var i = "X-Bench: 0000000000".Length - 1; i >= "X-Bench: ".Length; i--, number /= 10) content[i] = (byte)('0' + number % 10);
    }

    /// <summary>One connection behind its EHLO.</summary>
    private sealed class Connection : IDisposable
    {
        private readonly Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = 60_000, SendTimeout = 60_000 };
        private readonly byte[] input = new byte[4096];
        private Stream stream;

        public Connection(int port, Login? login)
        {
            socket.Connect(IPAddress.Loopback, port);
            stream = new NetworkStream(socket);
            Reply('2');
            Say("EHLO bench.test\r\n", '2');
            if (login is null) return;
            Say("STARTTLS\r\n", '2');
            var tls = new SslStream(stream, leaveInnerStreamOpen: false, static (_, _, _, _) => true);
            tls.AuthenticateAsClient("relay.bench.test");
            stream = tls;
            Say("EHLO bench.test\r\n", '2');
            if (login.User is { } user) Say($"AUTH PLAIN {Convert.ToBase64String(Encoding.UTF8.GetBytes($"\0{user}\0{login.Password}"))}\r\n", '2');
        }

        public void Say(string line, char reply) => Say(Encoding.ASCII.GetBytes(line), reply);

        public void Say(byte[] octets, char reply)
        {
            stream.Write(octets);
            Reply(reply);
        }

        public void Dispose()
        {
            try
            {
                stream.Write("QUIT\r\n"u8);
                stream.ReadAtLeast(input, 1, throwOnEndOfStream: false);
            }
            catch (IOException)
            {
                // Gone already.
            }

            stream.Dispose();
            socket.Dispose();
        }

        // The last line has a blank behind its code.
        private void Reply(char wanted)
        {
            for (var end = 0; ;)
            {
                var got = stream.Read(input, end, input.Length - end);
                if (got == 0) throw new IOException("the relay closed the connection");
                end += got;
                if (end < 5 || input[end - 1] != '\n') continue;
                var start = input.AsSpan(0, end - 1).LastIndexOf((byte)'\n') + 1;
                if (input[start + 3] != ' ') continue;
                if (input[start] != wanted) throw new IOException("the relay says: " + Encoding.ASCII.GetString(input, 0, end));
                return;
            }
        }
    }
}

/// <summary>STARTTLS, and with a name AUTH. Immutable.</summary>
internal sealed record Login(string? User = null, string? Password = null);
