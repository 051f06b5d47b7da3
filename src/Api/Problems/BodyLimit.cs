using Microsoft.AspNetCore.Http.Metadata;

namespace Angarium.Api.Problems;

/// <summary>
/// Octets of a request's body that a route reads, in the place of the listener's limit: as of routing, so that whoever reads it first, reads in this bound. Any thread.
/// </summary>
public sealed class BodyLimit(Func<long> max) : IRequestSizeLimitMetadata
{
    /// <summary>The limit of the listener. Routes take less: of what is too large or not wanted so much is read all the same, so that who sends it hears why and keeps the connection.</summary>
    public const int Least = 4 << 20;

    public long? MaxRequestBodySize => Math.Max(Least, max());
}
