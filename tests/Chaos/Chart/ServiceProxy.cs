using System.Net;
using System.Net.Sockets;
using Angarium.Chaos.Processes;
using k8s.Models;

namespace Angarium.Chaos.Chart;

/// <summary>
/// What kube-proxy does for the Services of a chart: each has an address, and a connection to one of its ports goes to that of a pod that its selector chooses, in turn, and that is ready and not about to
/// end. Clients appear with the harness' address. A task a connection; ends with the harness.
/// </summary>
/// <param name="pods">The pods that there are now, each with the template that it was made of.</param>
internal sealed class ServiceProxy(Func<IEnumerable<(Node Node, V1PodTemplateSpec Template)>> pods)
{
    private int turn;

    public static string AddressOf(int index) => $"10.99.12.{index + 1}";

    /// <summary>Its pods that may be given connections.</summary>
    public IReadOnlyList<(Node Node, V1PodTemplateSpec Template)> Endpoints(V1Service service) => [.. pods().Where(p => !p.Node.IsLeaving && Manifests.Selects(service.Spec.Selector, p.Template.Metadata))];

    public void Open(V1Service service, string address)
    {
        foreach (var port in service.Spec.Ports)
        {
            var listener = new TcpListener(IPAddress.Parse(address), port.Port);
            listener.Start();
            _ = AcceptAsync(listener, service, port);
        }
    }

    private async Task AcceptAsync(TcpListener listener, V1Service service, V1ServicePort port)
    {
        while (true) _ = PassAsync(await listener.AcceptTcpClientAsync(), service, port);
    }

    private async Task PassAsync(TcpClient client, V1Service service, V1ServicePort port)
    {
        using (client)
        using (var server = new TcpClient())
        {
            try
            {
                var endpoints = Endpoints(service);
                if (endpoints.Count == 0) return;
                var (node, template) = endpoints[(Interlocked.Increment(ref turn) & int.MaxValue) % endpoints.Count];
                await server.ConnectAsync(node.Address, Manifests.Port(template.Spec.Containers[0], port.TargetPort));
                await Task.WhenAll(CopyAsync(client, server), CopyAsync(server, client));
            }
            catch (Exception e) when (e is IOException or SocketException)
            {
                // Either side is gone: so is the other.
            }
        }
    }

    private static async Task CopyAsync(TcpClient from, TcpClient to)
    {
        await from.GetStream().CopyToAsync(to.GetStream());
        to.Client.Shutdown(SocketShutdown.Send);
    }
}
