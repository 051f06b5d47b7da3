using System.Globalization;
using System.Net;

namespace Angarium.Chaos.Traffic;

/// <summary>
/// Who sends to whom: tenants by source address, some hundred domains behind a dozen MX sets, and what a message says. All of it follows from the seed, and what a receiver
/// says of a recipient for good from the address alone. Immutable; any thread.
/// </summary>
internal sealed class World
{
    public const string ReverseDomain = "back.test";

    private readonly int domainsPerSite;
    private readonly string[] domains;

    /// <param name="seed">Of all chances.</param>
    /// <param name="domainsPerSite">Domains behind each MX set.</param>
    /// <param name="isCalm">All receivers answer at once and take what they are given.</param>
    public World(int seed, int domainsPerSite = 20, bool isCalm = false)
    {
        Seed = seed;
        this.domainsPerSite = domainsPerSite;
        var sites = new List<Site>();
        for (var i = 1; i <= 12; i++)
        {
            var site = new Site(string.Create(CultureInfo.InvariantCulture, $"site{i}"), [$"10.99.10.{i}", $"10.99.11.{i}"]);
            sites.Add(i switch
            {
                _ when isCalm => site with { Deferred = 0, CutBefore = 0, CutAfter = 0, Slow = 0, Busy = 0 },
                10 => site with { Deferred = 0.2, CutBefore = 0.03, CutAfter = 0.03, Busy = 0.1 },
                11 => site with { Slow = 0.1, Slowest = TimeSpan.FromSeconds(20) },
                // The first of its hosts is not there.
                12 => site with { Addresses = [$"10.99.11.{i}"] },
                _ => site,
            });
        }

        Back = new Site("back", ["10.99.10.100", "10.99.11.100"]) { CutAfter = 0 };
        if (isCalm) Back = Back with { Deferred = 0, CutBefore = 0, Slow = 0, Busy = 0 };
        Sites = [.. sites, Back];
        domains = sites.SelectMany(s => Enumerable.Range(0, domainsPerSite).Select(d => $"d{d}.{s.Name}.test")).ToArray();
        // The skew of real mail: neighbours in this order share no site.
        new Random(seed).Shuffle(domains);
    }

    public int Seed { get; }

    public IReadOnlyList<Site> Sites { get; }

    public Site Back { get; }

    /// <summary>Tenants and the address from which their clients come; the last is the default one.</summary>
    public IReadOnlyList<(string Tenant, string Address)> Tenants { get; } =
        [("acme", "10.99.100.1"), ("beta", "10.99.101.1"), ("gamma", "10.99.102.1"), ("default", "10.99.103.1")];

    public string TrustedNetworks => string.Join(',', Tenants.Select(t => t.Address[..^1] + "0/24" + (t.Tenant == "default" ? "" : "=" + t.Tenant)));

    public IEnumerable<string> OwnAddresses => Sites.SelectMany(s => s.Addresses).Concat(Tenants.Select(t => t.Address));

    public IEnumerable<string> Records()
    {
        foreach (var site in Sites)
        {
            string[] hosts = site == Back ? site.Addresses.ToArray() : [$"10.99.10.{site.Name[4..]}", $"10.99.11.{site.Name[4..]}"];
            for (var i = 0; i < hosts.Length; i++) yield return $"mx{i}.{site.Name}.test. 60 IN A {hosts[i]}";
            var names = site == Back ? [ReverseDomain] : Enumerable.Range(0, domainsPerSite).Select(d => $"d{d}.{site.Name}.test");
            foreach (var name in names)
                for (var i = 0; i < hosts.Length; i++) yield return $"{name}. 60 IN MX {(i + 1) * 10} mx{i}.{site.Name}.test.";
        }
    }

    /// <summary>One to five recipients, each an address that no other message has. `x…` is refused at RCPT, `y…` at the final dot, for good.</summary>
    public string[] Recipients(long number)
    {
        var random = Draw(number, 1);
        var count = random.Next(10) < 7 ? 1 : random.Next(2, 6);
        var whole = number % 97 == 3;
        return Enumerable.Range(0, count).Select(i =>
        {
            var kind = whole ? 'y' : random.Next(50) == 7 ? 'x' : 'r';
            return string.Create(CultureInfo.InvariantCulture, $"{kind}{number}-{i}@{domains[(int)(domains.Length * Math.Pow(random.NextDouble(), 2.5))]}");
        }).ToArray();
    }

    public string ReversePath(long number) => string.Create(CultureInfo.InvariantCulture, $"b{number}@{ReverseDomain}");

    /// <summary>Header with number and checksum, then lines of what the number chooses; one in two hundred is 2 MiB, so that it gathers on disk.</summary>
    public string Content(long number)
    {
        var random = Draw(number, 2);
        var lines = number % 200 == 100 ? 27_000 : random.Next(1, 60);
        var line = new string((char)('a' + (number % 26)), 76);
        var body = string.Concat(Enumerable.Range(0, lines).Select(i => i % 7 == 3 ? "." + line + "\r\n" : line + "\r\n"));
        return string.Create(CultureInfo.InvariantCulture, $"Subject: {number}\r\nX-Chaos: {number}\r\nX-Sum: {Message.Sum(System.Text.Encoding.Latin1.GetBytes(body)):x16}\r\n\r\n{body}");
    }

    /// <summary>A number from 0 to 1 that the seed and these two choose.</summary>
    public double Chance(string what, long which)
    {
        var sum = Message.Sum(System.Text.Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Seed} {what} {which}")));
        return (sum >> 11) / (double)(1UL << 53);
    }

    private Random Draw(long number, int purpose) => new(HashCodeOf(number, purpose));

    private int HashCodeOf(long number, int purpose) => (int)(Chance("draw", (number * 8) + purpose) * int.MaxValue);
}
