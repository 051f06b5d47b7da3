using System.Globalization;

namespace Angarium.Chaos.Accounting;

/// <summary>
/// The three files that a run's account is made from, each appended to by its own side alone: what clients noted, what the sink took and answered, which fault struck when.
/// Lines of fields with tabs between. Any thread; each line is in the file when the call returns.
/// </summary>
internal sealed class Books : IDisposable
{
    private const string ClientFile = "clients.log", SinkFile = "sink.log", FaultFile = "faults.log";
    private readonly Journal clients, sink, faults;

    public Books(string folder)
    {
        clients = new Journal(Path.Combine(folder, ClientFile));
        sink = new Journal(Path.Combine(folder, SinkFile));
        faults = new Journal(Path.Combine(folder, FaultFile));
    }

    public void Note(Send send) =>
        clients.Append(send.Number, send.Tenant, send.Ingress, send.Outcome, send.Reply, Time(send.Began), Time(send.Ended), string.Join(' ', send.Recipients));

    /// <summary>All recipients of one final dot in one write, before its reply.</summary>
    public void Note(IReadOnlyList<Arrival> taken) => sink.Append(taken.Select(a => (IReadOnlyList<object>)
        ["took", a.Sequence, a.Number, a.MessageId, a.Peer, a.Recipient, a.IsIntact, Time(a.Began), Time(a.Dot)]));

    public void NoteAnswer(long sequence, DateTimeOffset at) => sink.Append("answered", sequence, Time(at));

    public void Note(IReadOnlyList<Bounce> bounces) => sink.Append(bounces.Select(b => (IReadOnlyList<object>)["bounced", b.Recipient, Time(b.At)]));

    public void Note(Strike strike) => faults.Append(strike.Kind, strike.Victim, strike.Doubles, Time(strike.Start), Time(strike.End));

    public void Dispose()
    {
        clients.Dispose();
        sink.Dispose();
        faults.Dispose();
    }

    public static (List<Send> Sends, List<Arrival> Arrivals, List<Bounce> Bounces, List<Strike> Strikes) Read(string folder)
    {
        var sends = Lines(folder, ClientFile)
            .Select(f => new Send(Number(f[0]), f[1], f[2], Enum.Parse<SendOutcome>(f[3]), f[4], Time(f[5]), Time(f[6]), f[7].Split(' '))).ToList();
        var lines = Lines(folder, SinkFile).ToList();
        var answers = lines.Where(f => f[0] == "answered").ToDictionary(f => Number(f[1]), f => Time(f[2]));
        var arrivals = lines.Where(f => f[0] == "took").Select(f => new Arrival(
            Number(f[1]), Number(f[2]), f[3], f[4], f[5], bool.Parse(f[6]), Time(f[7]), Time(f[8]), answers.TryGetValue(Number(f[1]), out var at) ? at : null)).ToList();
        var bounces = lines.Where(f => f[0] == "bounced").Select(f => new Bounce(f[1], Time(f[2]))).ToList();
        var strikes = Lines(folder, FaultFile).Select(f => new Strike(f[0], f[1], f[2], Time(f[3]), Time(f[4]))).ToList();
        return (sends, arrivals, bounces, strikes);
    }

    private static IEnumerable<string[]> Lines(string folder, string file) => File.ReadLines(Path.Combine(folder, file)).Select(l => l.Split('\t'));

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);

    private static string Time(DateTimeOffset time) => time.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);

    private static DateTimeOffset Time(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);
}
