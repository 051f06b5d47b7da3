namespace Angarium.Contract.Index;

/// <summary>Waits for what only asking can tell: the state of another process.</summary>
internal static class Waiting
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public static async Task UntilAsync(Func<Task<bool>> isSo)
    {
        using var late = new CancellationTokenSource(Patience);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!await isSo()) await timer.WaitForNextTickAsync(late.Token);
    }

    /// <summary>The first answer that is no failure to reach the index.</summary>
    public static async Task<T> AnswerAsync<T>(Func<ValueTask<T>> call)
    {
        var answer = default(T)!;
        await UntilAsync(async () =>
        {
            try
            {
                answer = await call();
                return true;
            }
            catch (IOException)
            {
                return false;
            }
        });
        return answer;
    }
}
