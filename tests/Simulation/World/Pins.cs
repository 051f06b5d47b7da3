namespace Angarium.Simulation.World;

/// <summary>
/// For each clause a seed that notices its absence, and that passes with it. Pins move whenever the steps of a seed do: ANGARIUM_FIND_PINS=3500 finds them anew and prints this table.
/// </summary>
internal static class Pins
{
    /// <summary>Clauses whose absence no seed has noticed, and why that is.</summary>
    public static readonly IReadOnlyDictionary<Breaks, string> Unnoticed = new Dictionary<Breaks, string>
    {
        [Breaks.OwnerDecides] = "Needed by the model, too rare here: the seal of a dead silo's stream and the wait of 35 s leave a deposed owner that lives moments. Unit tests: a failure under a lease of a deposed owner is not decided.",
        [Breaks.IndexFull] = "Not needed for safety: what is forgotten the sweep offers again, with a due time by its age (rule 19). Unit test: a full index is read and emptied all the same.",
        [Breaks.IndexAfter] = "Not needed for safety: the sweep takes for seen only what it found in the index, so what is in memory alone is offered until it is there. It spares those offers, and bounds what a killed silo leaves to them.",
        [Breaks.JudgeIndex] = "Not needed for safety: the refreshed view knows what is finished. It keeps due time and attempts of what is offered although it is in the index, within moments of a loss of the index.",
        [Breaks.JudgeView] = "Noticed by one seed in thousands, and by none of the first 3,500 as they are: what is swept is leased 35 s later at the earliest, and by then others have mostly refreshed the view. Needed all the same: nothing makes them.",
        [Breaks.Struck] = "Noticed only as leases of what is finished and gone, from a backup of the index: each ends as not found and harms nobody. It spares them.",
        [Breaks.SentAt] = "Not needed for safety beside the rest: deadlines are absolute in the store's time, so what a frozen machine grants or renews is over when it arrives, and its stream is sealed before its successor grants.",
        [Breaks.MemberLook] = "Needed, and noticed by about one seed in ten thousand, by none of the first 12,000 as they are: a silo has to stand still between the entry of its new writer and the first append under it, for as long as the others need to take it for dead. Unit tests: a writer looks for its row behind its entry, and is refused without it (LedgerWriterTests).",
        [Breaks.Lanes] = "A question of shares, not of loss: unit tests of lanes and sites, and the scenario of a large backlog beside one message.",
    };

    /// <summary>Clauses without a switch here, and the unit test that fails without each: what they speak of is below or beside what is simulated.</summary>
    public static readonly IReadOnlyDictionary<string, string> Elsewhere = new Dictionary<string, string>
    {
        ["2: after a failed write or flush a file is not written again"] = "CrashTests.Recover_AfterCrashesAtRandomPoints_EveryAcknowledgedMessageIsThere",
        ["2: what is bad before the last good commit is damage, and skipped"] = "DamageTests.Read_AnyOctetFlipped_RightOrRefused",
        ["8: acknowledged only as the owner"] = "DomainQueueInClusterTests.Report_WhileTheRowIsNotConfirmed_IsRecordedAndNotAcknowledged",
        ["10: a silo's own records are in its view before they are acknowledged"] = "RecordViewTests.Open_FromACheckpoint_KeepsWhatThisSiloRecordedMeanwhile",
        ["10: checkpoints hold what is known of packs that are not listed"] = "RecordViewTests.Open_FromACheckpoint_ReadsOnlyWhatIsBehindIt",
        ["11: a hand-over is made once"] = "OfferDispatcherTests.Post_APackOfTwoDomains_OffersEachItsEntriesOnce",
        ["12: moved packs are listed too, and again hourly"] = "PackSweepTests.Pass_ChecksThePacksOfItsShareAndLearnsWhereAllMovedMailLies",
        ["13: a body that fails its checksum is deferred"] = "EgressWorkerTests.Body_FailsItsChecksum_NoDotIsSent",
        ["15: elapsed is the larger of wall and monotonic time"] = "MeasuredStoreClockTests.AMachineThatSlept_CountsTheLargerOfItsClocks",
        ["18: a clock that is not settled grants nothing"] = "DomainQueueTests.Clock_NotSettled_GrantsNothing",
        ["19: lost retry state is taken from the age, spread over the next interval"] = "RetryScheduleTests.Recover_Entries_AreSpreadOverTheNextInterval",
        ["20: held mail does not expire"] = "DomainQueueTests.Expiry_DeferredWhileHeld_WaitsForItsRelease",
        ["21: only with a confirmed row"] = "WorkerRegisterTests.Claim_WithoutAConfirmedRow_IsRefused",
        ["21: a worker that nobody hears closes its connections"] = "EgressWorkerTests.Polls_FailFor20Seconds_SessionsCloseBetweenTransactionsAndNothingIsReady",
        ["23: refused offers are counted, and stop the intake"] = "OfferDispatcherTests.Offer_TooManyRefused_StopsTheIntakeUntilTheDomainAccepts",
    };

    public static readonly IReadOnlyDictionary<Breaks, int> Seeds = new Dictionary<Breaks, int>
    {
        [Breaks.WriterId] = 1, // deleted and not finished
        [Breaks.ConflictIsSuccess] = 2, // the writer knew it durable and refused it
        [Breaks.GrowingPack] = 22, // deleted and not finished
        [Breaks.RetryFor] = 2, // a message that was committed and delivered was committed again
        [Breaks.KeyIsPlace] = 1, // sent after its lease had ended
        [Breaks.CopyFirst] = 1, // deleted and not finished
        [Breaks.SourceNamed] = 49, // deleted and not finished
        [Breaks.NotFound] = 317, // failed without a refusal
        [Breaks.Age] = 1, // deleted and not finished
        [Breaks.StaleDecides] = 49, // decided while it is leased
        [Breaks.DecideBy] = 14, // decided while it is leased
        [Breaks.ExpiryNeedsFailure] = 4, // expired without a failure
        [Breaks.NoticeFirst] = 11, // neither delivered nor its sender told
        [Breaks.DecidedFirst] = 26, // its sender was told, and it is leased again
        [Breaks.AppendFirst] = 2, // delivered twice at a time
        [Breaks.LedgerHealth] = 99, // granted on silo1 while nothing could be recorded there
        [Breaks.Seal] = 28, // decided while it is leased
        [Breaks.NewStreams] = 2, // recorded as delivered and leased again
        [Breaks.Unlisted] = 1, // decided and leased again
        [Breaks.CopyPositions] = 96, // finished long ago and leased again and again
        [Breaks.LateHandOver] = 108, // leased before it was due
        [Breaks.Fresh] = 91, // leased twice at a time
        [Breaks.Cursor] = 17, // acknowledged and never finished
        [Breaks.Sweep] = 1, // acknowledged and never finished
        [Breaks.BirthMark] = 1, // acknowledged and never finished
        [Breaks.SeenWakes] = 207, // acknowledged and never finished
        [Breaks.LedgerDecides] = 225, // recorded as delivered and leased again
        [Breaks.Token] = 112, // leased twice at a time
        [Breaks.RunId] = 379, // leased twice at a time
        [Breaks.Confirmation] = 472, // delivered twice at a time
        [Breaks.Abort] = 29, // sent after its lease had ended
        [Breaks.ConfirmAgain] = 225, // leased twice at a time
        [Breaks.TokenWait] = 20, // leased twice at a time
        [Breaks.HolderListens] = 1938, // leased twice at a time
        [Breaks.SessionNumber] = 1, // a repeated exchange was answered anew, and what was granted first lies idle
        [Breaks.LostLeases] = 18, // has killed 23 workers, and 0 activations were lost
        [Breaks.WakeTaken] = 242, // acknowledged and never finished
        [Breaks.OneScript] = 3011, // acknowledged and never finished
        [Breaks.ControlDocuments] = 2, // held and leased
        [Breaks.Declared] = 2, // 4 connections to mx.shared.test at once, 3 are allowed
        [Breaks.WorkerList] = 60, // 4 connections to mx.shared.test at once, 3 are allowed
        [Breaks.OtherSite] = 4, // 4 connections to mx.shared.test at once, 3 are allowed
    };
}
