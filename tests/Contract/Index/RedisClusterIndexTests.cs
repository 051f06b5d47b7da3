using Angarium.Grains.Index;
using Angarium.TestKit.Servers;

namespace Angarium.Contract.Index;

/// <summary>The index under the contract where keys live in slots: a script that touched two of them would be refused.</summary>
public sealed class RedisClusterIndexTests(RedisClusterIndexTests.Shared shared) : QueueIndexContract, IClassFixture<RedisClusterIndexTests.Shared>
{
    internal override IQueueIndex Index => shared.Index;

    protected override Task WipeAsync() => shared.Server.SendAsync("FLUSHALL");

    public sealed class Shared : IAsyncLifetime
    {
        public RedisServer Server { get; private set; } = null!;

        internal RedisQueueIndex Index { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Server = await RedisServer.StartAsync("--cluster-enabled", "yes");
            await Server.SendAsync("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
            await Waiting.UntilAsync(async () => ((string)(await Server.SendAsync("CLUSTER", "INFO"))!).Contains("cluster_state:ok", StringComparison.Ordinal));
            Index = RedisIndexes.New(Server.Address);
        }

        public async ValueTask DisposeAsync()
        {
            await Index.DisposeAsync();
            await Server.DisposeAsync();
        }
    }
}
