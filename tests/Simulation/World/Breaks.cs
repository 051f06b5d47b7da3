namespace Angarium.Simulation.World;

/// <summary>Clauses of the design's rules that a run leaves out on purpose; the number before each is its rule. The stories are in the design's counter-examples.</summary>
internal enum Breaks
{
    None,

    /// <summary>1: every process start takes the same writer id, and a name that is there is overwritten.</summary>
    WriterId,

    /// <summary>1: a conflict after an unknown result of one's own is no success.</summary>
    ConflictIsSuccess,

    /// <summary>2, 5: what came into a file after it was judged goes with it.</summary>
    GrowingPack,

    /// <summary>3: an unknown result is retried for an hour.</summary>
    RetryFor,

    /// <summary>4: a copy's recipients have keys of their own.</summary>
    KeyIsPlace,

    /// <summary>5: the source is deleted, then the copy is made.</summary>
    CopyFirst,

    /// <summary>5: any other pack that holds the same recipients justifies a deletion.</summary>
    SourceNamed,

    /// <summary>5: what is not found has failed.</summary>
    NotFound,

    /// <summary>5: packs are deleted for their age.</summary>
    Age,

    /// <summary>6: a failure reported under a lease that has ended, or was another's, decides.</summary>
    StaleDecides,

    /// <summary>6: a decision is taken without being the owner.</summary>
    OwnerDecides,

    /// <summary>6: a decision is appended however late.</summary>
    DecideBy,

    /// <summary>6: age alone expires.</summary>
    ExpiryNeedsFailure,

    /// <summary>7: *finished* is recorded before the notice is durable.</summary>
    NoticeFirst,

    /// <summary>7: the record that decides is not written.</summary>
    DecidedFirst,

    /// <summary>8: the report is acknowledged before the append.</summary>
    AppendFirst,

    /// <summary>8: what the index had no room for is forgotten.</summary>
    IndexFull,

    /// <summary>9: leases go on while the ledger cannot be written.</summary>
    LedgerHealth,

    /// <summary>10: streams of dead writers are not sealed.</summary>
    Seal,

    /// <summary>10: a writer goes on under a new id by its own clocks.</summary>
    MemberLook,

    /// <summary>10: a refresh does not see new streams.</summary>
    NewStreams,

    /// <summary>10: what is recorded about packs that are in no listing is forgotten.</summary>
    Unlisted,

    /// <summary>10: a copy does not say what its maker knew.</summary>
    CopyPositions,

    /// <summary>11: a late hand-over is taken for a new one.</summary>
    LateHandOver,

    /// <summary>11: fresh for ten minutes.</summary>
    Fresh,

    /// <summary>11: not written to the index after 10 s.</summary>
    IndexAfter,

    /// <summary>12: the sweep has a cursor that a late pack comes behind.</summary>
    Cursor,

    /// <summary>12: nothing is ever offered.</summary>
    Sweep,

    /// <summary>12: the domain does not read the index before it judges.</summary>
    JudgeIndex,

    /// <summary>12: the domain judges by a view that is not refreshed.</summary>
    JudgeView,

    /// <summary>12: a birth mark or run id that differs is not noticed.</summary>
    BirthMark,

    /// <summary>12: what was seen is not woken.</summary>
    SeenWakes,

    /// <summary>13: what was read back is leased without a look at the ledger.</summary>
    LedgerDecides,

    /// <summary>13: what is in no listing is not struck.</summary>
    Struck,

    /// <summary>14: every token is the owner's.</summary>
    Token,

    /// <summary>14: a token is good under any run id.</summary>
    RunId,

    /// <summary>14: grants and renewals need no confirmation of row and token.</summary>
    Confirmation,

    /// <summary>15: a worker goes on when its lease has ended.</summary>
    Abort,

    /// <summary>15: what was leased before is leased again without a look.</summary>
    ConfirmAgain,

    /// <summary>16: what was read back is granted at once.</summary>
    TokenWait,

    /// <summary>16: whoever hears a renewal or report takes it.</summary>
    HolderListens,

    /// <summary>17: a repeat is a new request.</summary>
    SessionNumber,

    /// <summary>17: a message may lose any number of leases.</summary>
    LostLeases,

    /// <summary>18: the waker takes the wake-up with it.</summary>
    WakeTaken,

    /// <summary>18: entry and wake-up are written in two steps.</summary>
    OneScript,

    /// <summary>18: nobody notices how old a call is.</summary>
    SentAt,

    /// <summary>20: holds are not documents.</summary>
    ControlDocuments,

    /// <summary>21: workers do not declare what they hold.</summary>
    Declared,

    /// <summary>21: a new pool knows of no worker.</summary>
    WorkerList,

    /// <summary>21: a permit is used for whatever site its domain has by then.</summary>
    OtherSite,

    /// <summary>22: one lane for all tenants.</summary>
    Lanes,
}
