namespace Angarium.Contracts.Configuration;

/// <summary>How much of a recipient's address the log shows: the setting `Log:Recipients`, of every role that logs them.</summary>
public enum LoggedRecipients { Full, Domain, None }
