using System.Runtime.CompilerServices;

namespace Angarium.Spool.Files;

/// <summary>Moves a call that will block off its caller's turn: a grain's scheduler never waits for a disk. Pure.</summary>
internal static class FileTurns
{
    /// <summary>Continues on the pool when the files block: for writes, which wait for a flush while their caller goes on.</summary>
    public static ConfiguredTaskAwaitable LeaveCaller(this IFileSystem files) =>
        Task.CompletedTask.ConfigureAwait(files.Blocks ? ConfigureAwaitOptions.ForceYielding : ConfigureAwaitOptions.None);

    /// <summary>For short reads: continues on the pool when the files block and the caller is on a scheduler of its own; else at once.</summary>
    public static ConfiguredTaskAwaitable LeaveTurn(this IFileSystem files) => Task.CompletedTask.ConfigureAwait(
        files.Blocks && (TaskScheduler.Current != TaskScheduler.Default || SynchronizationContext.Current is not null)
            ? ConfigureAwaitOptions.ForceYielding
            : ConfigureAwaitOptions.None);
}
