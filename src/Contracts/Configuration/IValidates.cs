namespace Angarium.Contracts.Configuration;

/// <summary>An options record with rules across its settings: one line per mistake, each naming the setting and the fix.</summary>
public interface IValidates
{
    IEnumerable<string> Validate();
}
