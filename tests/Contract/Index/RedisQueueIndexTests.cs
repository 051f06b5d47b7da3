using Angarium.Grains.Index;
using Angarium.TestKit.Servers;

namespace Angarium.Contract.Index;

/// <summary>The index in Redis under the contract, over a real server that all tests of the class share.</summary>
public sealed class RedisQueueIndexTests(RedisQueueIndexTests.Shared shared) : QueueIndexContract, IClassFixture<RedisQueueIndexTests.Shared>
{
    internal override IQueueIndex Index => shared.Index;

    protected override Task WipeAsync() => shared.Server.SendAsync("FLUSHALL");

    public sealed class Shared : IAsyncLifetime
    {
        public RedisServer Server { get; private set; } = null!;

        internal RedisQueueIndex Index { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Server = await RedisServer.StartAsync();
            Index = RedisIndexes.New(Server.Address);
        }

        public async ValueTask DisposeAsync()
        {
            await Index.DisposeAsync();
            await Server.DisposeAsync();
        }
    }
}
