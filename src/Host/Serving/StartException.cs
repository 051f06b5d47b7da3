namespace Angarium.Host.Serving;

/// <summary>Why a start cannot go on, in one line that names the setting and the fix. Printed without a stack trace.</summary>
internal sealed class StartException(string line, Exception? cause = null) : Exception(line, cause);
