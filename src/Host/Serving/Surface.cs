using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Angarium.Host.Serving;

/// <summary>
/// Which listener a request came in by. It is put on the connection by the listener itself: a Host header or a port number in a request decides nothing.
/// </summary>
internal enum Surface
{
    /// <summary>`Http:Listen`.</summary>
    Pages,

    /// <summary>`Admin:Listen`: reads only.</summary>
    Admin,

    /// <summary>The socket in `Data`, for who may open that file.</summary>
    Control,
}

/// <summary>Marks connections and reads the mark. Any thread.</summary>
internal static class Surfaces
{
    private sealed record Mark(Surface Surface);

    public static ListenOptions As(this ListenOptions listener, Surface surface)
    {
        var mark = new Mark(surface);
        listener.Protocols = HttpProtocols.Http1;
        listener.Use(next => connection =>
        {
            connection.Features.Set(mark);
            return next(connection);
        });
        return listener;
    }

    public static bool CameBy(this HttpContext context, Surface surface) => context.Features.Get<Mark>()?.Surface == surface;
}
