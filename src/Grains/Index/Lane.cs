using Angarium.Mail;

namespace Angarium.Grains.Index;

/// <summary>A queue of its own within a domain (design rule 22): one tenant's mail of one class. A value.</summary>
public readonly record struct Lane(string Tenant, MessageClass Class);
