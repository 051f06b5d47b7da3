using Angarium.Grains.Membership;
using Microsoft.Extensions.Logging;
using Orleans.Runtime.Placement;

namespace Angarium.Grains.Control;

/// <summary>Asks all living silos something at once, this one without a call. Any thread; no state.</summary>
internal sealed partial class SiloDesks(IGrainFactory grains, ISilos silos, ILogger<SiloDesks> log)
{
    /// <param name="here">What this silo does itself: it is the first of so many.</param>
    /// <param name="there">What another is asked: which of so many it is.</param>
    /// <returns>What each answered, in that order; null = it did not.</returns>
    public async Task<IReadOnlyList<T?>> AskAsync<T>(Func<int, Task<T>> here, Func<ISiloDesk, int, int, Task<T?>> there) where T : class
    {
        string[] others = [.. silos.Living.Where(silo => silo != silos.Own).Order(StringComparer.Ordinal)];
        var own = here(others.Length + 1);
        var answers = await Task.WhenAll(others.Select((silo, i) => TryAsync(silo, i + 1)));
        return [await own, .. answers];

        async Task<T?> TryAsync(string silo, int index)
        {
            try
            {
                // Of this flow alone: the caller's own calls are placed as ever.
                RequestContext.Set(IPlacementDirector.PlacementHintKey, SiloAddress.FromParsableString(silo));
                return await there(grains.GetGrain<ISiloDesk>(silo), index, others.Length + 1);
            }
            catch (Exception e) when (e is IOException or TimeoutException or OrleansException)
            {
                LogSilent(log, silo, e.Message);
                return null;
            }
        }
    }

    [LoggerMessage(2922, LogLevel.Information, "Silo {Silo} did not answer: {Error}")]
    private static partial void LogSilent(ILogger logger, string silo, string error);
}
