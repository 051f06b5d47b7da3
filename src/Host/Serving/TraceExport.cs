using Angarium.Contracts.Telemetry;
using Angarium.Host.Configuration;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Angarium.Host.Serving;

/// <summary>Sends spans to a collector by OTLP over HTTP, in batches of its own thread: mail never waits for it, and what the collector does not take in time is dropped. Begun and ended with the process.</summary>
internal static class TraceExport
{
    private const string Path = "/v1/traces";

    /// <summary>Null = there is nobody to send to; then nobody listens, and spans are not made.</summary>
    public static IDisposable? Begin(RelayOptions options)
    {
        if (options.TracesEndpoint.Length == 0) return null;
        MessageTrace.Share = options.TracesSample;
        var endpoint = new Uri(options.TracesEndpoint);
        if (endpoint.AbsolutePath == "/") endpoint = new Uri(endpoint, Path);
        return Sdk.CreateTracerProviderBuilder()
            .ConfigureResource(resource => resource.AddService("angarium", serviceInstanceId: options.Hostname).AddAttributes([new("angarium.roles", string.Join(',', RelayOptions.AllRoles.Where(options.Runs)))]))
            .SetSampler(new AlwaysOnSampler())
            .AddSource(MessageTrace.SourceName)
            .AddOtlpExporter(exporter => (exporter.Endpoint, exporter.Protocol) = (endpoint, OtlpExportProtocol.HttpProtobuf))
            .Build();
    }
}
