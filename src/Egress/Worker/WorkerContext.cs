using Angarium.Contracts.Configuration;
using Angarium.Contracts.DomainQueues;
using Angarium.Contracts.EgressPools;
using Angarium.Egress.Routing;
using Angarium.Egress.Sessions;
using Angarium.Mail;
using Angarium.Spool.Packs;
using Angarium.Spool.Time;
using Microsoft.Extensions.Logging;

namespace Angarium.Egress.Worker;

/// <summary>What all sessions of a worker share. Any thread.</summary>
internal sealed partial class WorkerContext
{
    private readonly ISettings<EgressOptions> settings;
    private volatile bool mayAsk = true;
    private volatile bool isOver;

    public WorkerContext(
        IQueueGateway gateway, ISpoolReader spool, IStoreClock clock, TimeProvider time, RouteResolver routes, Connector connector, ISettings<EgressOptions> settings,
        ILogger logger, Func<ulong>? draw = null)
    {
        Draw = draw ?? (static () => (ulong)Random.Shared.NextInt64(long.MinValue, long.MaxValue));
        Name = $"{Environment.MachineName}-{Draw():x16}";
        (Gateway, Spool, Clock, Time, Routes, Connector, Logger, this.settings) = (gateway, spool, clock, time, routes, connector, logger, settings);
        Leases = new LeaseKeeper(gateway, clock, time, Name, logger);
    }

    /// <summary>Random, drawn at each start.</summary>
    public string Name { get; }

    /// <summary>Random 64-bit numbers.</summary>
    public Func<ulong> Draw { get; }

    public IQueueGateway Gateway { get; }

    public ISpoolReader Spool { get; }

    public IStoreClock Clock { get; }

    public TimeProvider Time { get; }

    public RouteResolver Routes { get; }

    public Connector Connector { get; }

    public LeaseKeeper Leases { get; }

    public ILogger Logger { get; }

    public EgressOptions Options => settings.Current;

    /// <summary>Whose worker it is.</summary>
    public string Pool { get; init; } = PoolName.Default;

    /// <summary>Sessions that the worker may have now, of all that the process may; null = all of them.</summary>
    public Func<int>? MostSessions { get; init; }

    public int MaxSessions => MostSessions?.Invoke() ?? Options.MaxSessions;

    /// <summary>For the simulation, which shows what the clause is good for: a permit is used for whatever site a domain has.</summary>
    internal bool WaivesSites { get; init; }

    /// <summary>Whether new mail may be asked for: the pool hears us (design rule 21), the clock is trusted, and we stay.</summary>
    public bool MayAsk
    {
        get => mayAsk && Clock.IsSettled;
        set => mayAsk = value;
    }

    /// <summary>The process ends: what is still unanswered stays so.</summary>
    public bool IsOver
    {
        get => isOver;
        set => isOver = value;
    }

    public void LogAttempt(MessageId message, string domain, RecipientSummary[] recipients, int attempt, DeliveryVerdict verdict, SmtpConnection? connection, StoreTime accepted, TimeSpan waited, TimeSpan took)
    {
        if (!Logger.IsEnabled(LogLevel.Information)) return;
        var named = Options.LogRecipients.Of(recipients.Length, i => recipients[i].Recipient, _ => domain);
        Attempted(Logger, message, named, recipients.Length, attempt, verdict.Kind, connection?.Remote ?? "", verdict.Reply, verdict.Own, verdict.PossibleDuplicate, connection?.Tls ?? "",
            Math.Round((Clock.Now - accepted).TotalSeconds, 3), Math.Round(waited.TotalSeconds, 3), Math.Round(took.TotalSeconds, 3));
    }

    [LoggerMessage(4010, LogLevel.Information,
        "Attempt message={MessageId} recipient={Recipient} recipients={Recipients} attempt={Attempt} outcome={Outcome} remote={RemoteHost} reply=\"{Reply}\" own={Own} duplicate={PossibleDuplicate} tls={Tls} delay={Delay}s waited={Waited}s took={Took}s")]
    private static partial void Attempted(
        ILogger logger, MessageId messageId, string recipient, int recipients, int attempt, OutcomeKind outcome, string remoteHost, Reply reply, bool own, bool possibleDuplicate, string tls, double delay, double waited, double took);
}
