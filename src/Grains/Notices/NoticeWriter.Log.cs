using Angarium.Mail;
using Angarium.Spool.Packs;
using Microsoft.Extensions.Logging;

namespace Angarium.Grains.Notices;

internal sealed partial class NoticeWriter
{
    [LoggerMessage(2600, LogLevel.Critical, "No {Kind} notice about {Key}: its entry in {Pack} is {Status}, so whether its sender may be told is unknown")]
    private partial void LogOriginalGone(NoticeKind kind, RecipientKey key, PackName pack, SpoolReadStatus status);

    [LoggerMessage(2601, LogLevel.Warning, "No {Kind} notice about {Key}: its reverse-path is no address")]
    private partial void LogNoAddress(NoticeKind kind, RecipientKey key);

    [LoggerMessage(2602, LogLevel.Information, "{Kind} notice {NoticeId} about message {MessageId} for {Recipients} recipients")]
    private partial void LogWritten(NoticeKind kind, MessageId noticeId, MessageId messageId, int recipients);
}
