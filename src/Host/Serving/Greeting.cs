using System.Net;
using System.Text;
using Angarium.Host.Configuration;

namespace Angarium.Host.Serving;

/// <summary>What a developer sees once everything runs: the addresses, and a line to paste that sends a first message. Pure.</summary>
internal static class Greeting
{
    public static string FirstMail(IPEndPoint relay) =>
        $"printf 'Subject: Hello\\n\\nMy first message.\\n' | {Self()} sendmail --server {relay} -f me@example.org you@example.net";

    public static string Text(Listeners listeners, RelayOptions options, string? administrator)
    {
        var text = new StringBuilder("\nAngarium is ready. Nothing leaves this machine.\n");
        void Row(string name, IPEndPoint? endPoint, string shown)
        {
            if (endPoint is not null) text.Append($"  {name,-9}{shown.Replace("{}", Listeners.Reachable(endPoint).ToString(), StringComparison.Ordinal)}\n");
        }

        var relay = listeners.Find("Ingress:Smtp:Listen");
        Row("relay", relay, "smtp://{}");
        Row("sink", listeners.Find("Sink:Listen") is null ? null : listeners.Find("Http:Listen"), "http://{}/  what is delivered appears here");
        Row("submit", listeners.Find("Ingress:Submission:Listen"), "smtp://{}  for tenants: STARTTLS, then AUTH");
        if (administrator is not null) Row("api", listeners.Find("Http:Listen"), $"http://{{}}/v1  Authorization: Bearer {administrator}");
        Row("metrics", listeners.Find("Admin:Listen"), "http://{}/metrics");
        text.Append($"  {"data",-9}{Path.GetFullPath(options.Data)}\n");
        if (relay is not null) text.Append($"\nPaste this in another terminal to send a first message:\n\n  {FirstMail(Listeners.Reachable(relay))}\n");
        return text.ToString();
    }

    /// <summary>How a shell starts this very executable.</summary>
    private static string Self()
    {
        var path = Environment.ProcessPath ?? "angarium";
        return Path.GetFileNameWithoutExtension(path) == "dotnet" ? $"{path} {Path.Combine(AppContext.BaseDirectory, "angarium.dll")}" : path;
    }
}
