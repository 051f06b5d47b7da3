using Microsoft.AspNetCore.Http.Metadata;

namespace Angarium.Api.Problems;

/// <summary>Octets of a request's body that a route takes, in the place of the listener's limit: as of routing, so that whoever reads it first, reads in this bound. Any thread.</summary>
internal sealed class BodyLimit(Func<long> max) : IRequestSizeLimitMetadata
{
    public long? MaxRequestBodySize => max();
}
