using System.Threading.RateLimiting;
using Angarium.Api.Callers;

namespace Angarium.Unit.Api;

public sealed class AllowancesTests
{
    [Fact]
    public void TryTake_OfOneForgottenMeanwhile_AsksAgain()
    {
        using var quiet = new Forgotten();
        using var allowances = new Allowances<int, int>(of => RateLimitPartition.Get(of, _ => quiet));

        // The first ask ends as one that comes too late does.
        Assert.True(allowances.TryTake(1));
        Assert.Equal(2, quiet.Asked);
    }

    [Fact]
    public void TryTake_AfterTheEnd_Throws()
    {
        var allowances = new Allowances<int, int>(of => RateLimitPartition.GetNoLimiter(of));
        allowances.Dispose();

        Assert.Throws<ObjectDisposedException>(() => allowances.TryTake(1));
    }

    [Fact]
    public void TryTake_OfNothing_TellsWhetherAnyIsLeft()
    {
        using var allowances = new Allowances<int, int>(of => RateLimitPartition.GetTokenBucketLimiter(of, _ => new TokenBucketRateLimiterOptions
        {
            TokensPerPeriod = 1, TokenLimit = 2, ReplenishmentPeriod = TimeSpan.FromDays(1), AutoReplenishment = false,
        }));

        for (var i = 0; i < 10; i++) Assert.True(allowances.TryTake(1, permits: 0));
        Assert.True(allowances.TryTake(1));
        Assert.True(allowances.TryTake(1));
        Assert.False(allowances.TryTake(1, permits: 0));
        Assert.False(allowances.TryTake(1));
        Assert.True(allowances.TryTake(2));
    }

    /// <summary>Forgotten between being found and being asked for the first time.</summary>
    private sealed class Forgotten : RateLimiter
    {
        public int Asked { get; private set; }

        public override TimeSpan? IdleDuration => null;

        public override RateLimiterStatistics? GetStatistics() => null;

        protected override RateLimitLease AttemptAcquireCore(int permitCount) => ++Asked == 1 ? throw new ObjectDisposedException(nameof(Forgotten)) : new Lease();

        protected override ValueTask<RateLimitLease> AcquireAsyncCore(int permitCount, CancellationToken cancellationToken) => new(AttemptAcquireCore(permitCount));

        private sealed class Lease : RateLimitLease
        {
            public override bool IsAcquired => true;

            public override IEnumerable<string> MetadataNames => [];

            public override bool TryGetMetadata(string metadataName, out object? metadata)
            {
                metadata = null;
                return false;
            }
        }
    }
}
