using Angarium.Contracts.Admin;
using Angarium.Contracts.Configuration;
using Angarium.Ingress.Content;
using Angarium.Mail;
using Angarium.Mail.Status;
using Microsoft.Extensions.Logging;

namespace Angarium.Ingress.Overload;

/// <summary>
/// Refuses new mail and new connections before the process's memory runs out, or the memory for content that arrives, and takes them again by itself once it is below. Measured at most once a second; before it refuses, it
/// collects garbage, so that it never refuses for what nobody holds: once in ten seconds, and more rarely for as long as that does not help. Any thread; nothing survives a crash, and nothing needs to.
/// </summary>
internal sealed partial class MemoryGuard(ISettings<IngressOptions> settings, GatherBudget content, Func<MemoryUse> measure, Action collect, TimeProvider time, ILogger<MemoryGuard> log) : IAdmission
{
    public static readonly Reply Postponed = new(451, MailStatus.NotAccepting, "Too busy now, try again later");
    public static readonly Reply Busy = new(421, MailStatus.NotAccepting, "Too busy now, try again later");

    /// <summary>How far below the threshold it must fall before mail is taken again.</summary>
    private const double Slack = 0.05;

    private static readonly TimeSpan s_age = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_collectEvery = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_collectAtLeastEvery = TimeSpan.FromMinutes(2);

    private readonly Lock _gate = new();
    private long? _measured, _collected;
    private TimeSpan _pause = s_collectEvery;
    private volatile bool _isTight;

    /// <summary>What MAIL is answered; null = go on.</summary>
    public Reply? Refusal => IsTight ? Postponed : null;

    public bool IsTight
    {
        get
        {
            // Whoever finds the figure old measures; the others go by what is known.
            if (_gate.TryEnter())
            {
                try
                {
                    Measure();
                }
                finally
                {
                    _gate.Exit();
                }
            }

            return _isTight;
        }
    }

    private void Measure()
    {
        if (_measured is { } last && time.GetElapsedTime(last) < s_age) return;
        _measured = time.GetTimestamp();
        var threshold = settings.Current.MaxWorkingSet / 100.0 - (_isTight ? Slack : 0);
        var (use, isOver) = Look(threshold);
        if (!isOver) _pause = s_collectEvery;
        if (isOver && (_collected is not { } before || time.GetElapsedTime(before) >= _pause))
        {
            collect();
            _collected = time.GetTimestamp();
            (use, isOver) = Look(threshold);
            _pause = isOver ? TimeSpan.FromTicks(Math.Min(2 * _pause.Ticks, s_collectAtLeastEvery.Ticks)) : s_collectEvery;
        }

        isOver |= _isTight ? content.IsTight : content.IsFull;
        IngressInstruments.WorkingSet.Set(use.Used);
        IngressInstruments.WorkingSetLimit.Set(use.Limit * settings.Current.MaxWorkingSet / 100.0);
        if (isOver == _isTight) return;
        _isTight = isOver;
        if (isOver) LogTight(log, use.Used >> 20, use.Limit >> 20, content.Memory >> 20);
        else LogEased(log, use.Used >> 20, use.Limit >> 20);
    }

    private (MemoryUse Use, bool IsOver) Look(double threshold)
    {
        var use = measure();
        return (use, use.Limit > 0 && use.Used > use.Limit * threshold);
    }

    [LoggerMessage(3060, LogLevel.Warning, "Memory is short: {Used} MiB of {Limit} MiB, {Content} MiB of content that is arriving; new mail is answered 451 and new connections 421 until it is not")]
    private static partial void LogTight(ILogger logger, long used, long limit, long content);

    [LoggerMessage(3061, LogLevel.Information, "Memory is no longer short: {Used} MiB of {Limit} MiB; mail is taken again")]
    private static partial void LogEased(ILogger logger, long used, long limit);
}
