using System.Net;

namespace Angarium.Ingress.Listening;

/// <summary>One listener that the settings ask for.</summary>
/// <param name="Setting">The setting that names it: who is to blame when it cannot be opened.</param>
public readonly record struct SmtpListener(string Setting, IPEndPoint EndPoint, bool ImplicitTls, bool IsSubmission);
