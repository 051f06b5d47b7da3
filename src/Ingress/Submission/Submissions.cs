namespace Angarium.Ingress.Submission;

/// <summary>What sessions of submission need besides: whose a credential is, who failed before, and signatures. One a process.</summary>
internal sealed record Submissions(ITenantLogins Logins, LoginFailures Failures, IMessageSigner Signer);
