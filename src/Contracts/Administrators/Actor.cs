using Orleans.Runtime;

namespace Angarium.Contracts.Administrators;

/// <summary>Who asks for a change, as the api tells the grains along with its calls, for what they note of it. Of the present call.</summary>
public static class Actor
{
    /// <summary>What it is called in a call's context: of a client's whole context the silos let this alone pass, from the role `api`.</summary>
    public const string Key = "angarium.actor";

    /// <summary>No longer word is believed.</summary>
    public const int MaxLength = 64;

    /// <summary>The relay itself.</summary>
    public const string System = "system";

    /// <summary>Whoever may open the socket in `Data`.</summary>
    public const string Operator = "operator";

    /// <summary>`administrator`, `administrator id`, `key id`, <see cref="Operator"/>, or <see cref="System"/>.</summary>
    public static string Current => RequestContext.Get(Key) is string { Length: > 0 and <= MaxLength } actor ? actor : System;

    public static void Set(string actor) => RequestContext.Set(Key, actor);
}
