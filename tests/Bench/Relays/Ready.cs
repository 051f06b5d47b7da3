using System.Net;
using System.Net.Sockets;
using Angarium.Integration.Harness;

namespace Angarium.Bench.Relays;

/// <summary>Waits for what is being started.</summary>
internal static class Ready
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    public static Task ListensAsync(int port) => UntilAsync(async stop =>
    {
        using var probe = new TcpClient();
        await probe.ConnectAsync(IPAddress.Loopback, port, stop);
        return true;
    }, $"nothing listens on port {port}");

    public static Task AnswersAsync(Uri page, Child process) => UntilAsync(async stop =>
    {
        if (!process.IsRunning) throw new InvalidOperationException($"{process.Command} has ended");
        using var http = new HttpClient();
        using var answer = await http.GetAsync(page, stop);
        return answer.IsSuccessStatusCode;
    }, $"{page} does not say ready");

    private static async Task UntilAsync(Func<CancellationToken, Task<bool>> probe, string trouble)
    {
        using var limit = new CancellationTokenSource(s_patience);
        while (true)
        {
            try
            {
                if (await probe(limit.Token)) return;
            }
            catch (Exception e) when (e is SocketException or HttpRequestException)
            {
                // Not yet.
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException(trouble);
            }

            if (limit.IsCancellationRequested) throw new TimeoutException(trouble);
            await Task.Delay(50);
        }
    }
}
