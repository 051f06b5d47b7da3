using Microsoft.Extensions.Logging;

namespace Angarium.Contracts.Intake;

public sealed partial class OfferDispatcher
{
    [LoggerMessage(3040, LogLevel.Warning, "{Count} calls that hand mail over to its queues failed since this was last said; the sweep offers it")]
    private static partial void OffersFailed(ILogger logger, Exception exception, long count);
}
