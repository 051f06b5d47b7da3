using System.Buffers;

namespace Angarium.Contracts.EgressPools;

/// <summary>
/// How egress pools are named, and how each names the sites that its sessions serve: as they are in the pool `default`, `pool!site` in any other. So whoever is told of a site knows the pool, and two
/// pools never share its limits. A site's own name has a colon before any `!`, and no pool's name has either. Pure.
/// </summary>
public static class PoolName
{
    /// <summary>Where the mail goes out that nobody has sent elsewhere.</summary>
    public const string Default = "default";

    public const int MaxLength = 32;

    private const char Separator = '!';

    private static readonly SearchValues<char> s_letters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789-");

    public static bool IsValid(ReadOnlySpan<char> name) => name.Length is > 0 and <= MaxLength && name.IndexOfAnyExcept(s_letters) < 0;

    /// <summary>The site as the sessions of the pool know it.</summary>
    public static string SiteIn(string pool, string site) => pool == Default ? site : pool + Separator + site;

    /// <summary>The pool whose sessions know the site by this name.</summary>
    public static string PoolOf(string site) => EndOfPool(site) is > 0 and var end ? site[..end] : Default;

    /// <summary>The site without its pool, as routes name it.</summary>
    public static string SiteOf(string site) => EndOfPool(site) is > 0 and var end ? site[(end + 1)..] : site;

    private static int EndOfPool(string site)
    {
        var at = site.AsSpan().IndexOfAny(Separator, ':');
        return at >= 0 && site[at] == Separator ? at : -1;
    }
}
