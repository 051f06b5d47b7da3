namespace Angarium.Contracts.Routing;

/// <summary>The seam through which a silo's routes learn what tenants say of their inbound domains. Implemented by Grains, called by Egress. Any thread.</summary>
public interface IInboundRoutes
{
    /// <summary>False: no tenant says anything of this domain. Cheap.</summary>
    bool MayName(string domain);

    /// <summary>Null = its mail goes by MX.</summary>
    /// <exception cref="Exception">It cannot be told now.</exception>
    ValueTask<InboundRoute?> FindAsync(string domain, CancellationToken cancellationToken);
}
