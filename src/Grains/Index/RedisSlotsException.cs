namespace Angarium.Grains.Index;

/// <summary>The keys of a call are in several hash slots, and Redis takes them one slot at a time only.</summary>
internal sealed class RedisSlotsException() : IOException("Redis keeps the partitions in several slots");
