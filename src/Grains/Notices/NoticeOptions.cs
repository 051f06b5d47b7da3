using Angarium.Contracts.Configuration;

namespace Angarium.Grains.Notices;

/// <summary>What notices say of this relay. A value.</summary>
public sealed record NoticeOptions
{
    [Setting("Hostname", "Name of this relay in its notices.", DefaultText = "the machine's full name")]
    public string Hostname { get; init; } = "localhost";
}
