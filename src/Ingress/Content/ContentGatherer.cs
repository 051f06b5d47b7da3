using System.Buffers;
using Angarium.Spool.Packs;

namespace Angarium.Ingress.Content;

/// <summary>
/// The content of one transaction while it arrives: up to <see cref="MaxInMemory"/> in one pooled buffer, beyond that (while memory is tight or more was declared, beyond a small window) in a
/// scratch file behind a small window. Owned by its session, one thread at a time. Nothing survives a crash: the client saw no 250.
/// </summary>
internal sealed class ContentGatherer : IBufferWriter<byte>, IDisposable
{
    /// <summary>Content beyond this gathers on disk.</summary>
    public const int MaxInMemory = 1 << 20;

    /// <summary>What a message takes at least, and what it takes while it gathers on disk.</summary>
    public const int Window = 16 << 10;

    private const int ScratchWindow = 128 << 10;

    private readonly GatherBudget _budget;
    private readonly IScratchFolder _folder;
    private readonly Octets? _reader;
    private byte[] _buffer = [];
    private int _count, _reserved;
    private bool _isDiscarding, _isLarge;
    private long _scratchReserved;
    private IScratchWriter? _writer;
    private ScratchContent? _scratch;

    private ContentGatherer(GatherBudget budget, IScratchFolder folder, Octets? reader) => (_budget, _folder, _reader) = (budget, folder, reader);

    /// <summary>Reads the content along, in order, before it goes to disk or is complete.</summary>
    public delegate void Octets(ReadOnlySpan<byte> content);

    private int MostInMemory => _isLarge ? ScratchWindow : MaxInMemory;

    /// <summary>Octets gathered.</summary>
    public long Length => (_writer?.Length ?? 0) + _count;

    /// <summary>The content, when it is in memory; valid after <see cref="CompleteAsync"/> and until disposal.</summary>
    public ReadOnlyMemory<byte> Content => _scratch is null ? _buffer.AsMemory(0, _count) : default;

    /// <summary>The content, when it is on disk. Disposed with this.</summary>
    public ScratchContent? Scratch => _scratch;

    /// <summary>Begins a message of about <paramref name="expected"/> octets (what the client declared; 0 = unknown); null when the memory is taken.</summary>
    public static ContentGatherer? TryCreate(GatherBudget budget, IScratchFolder folder, long expected, Octets? reader = null)
    {
        var gatherer = new ContentGatherer(budget, folder, reader) { _isLarge = expected > MaxInMemory };
        var size = gatherer._isLarge ? ScratchWindow : (int)Math.Clamp(expected, Window, MaxInMemory);
        if (gatherer.TryResize(size) || size > Window && gatherer.TryResize(Window)) return gatherer;
        return null;
    }

    /// <summary>Room was made before: what comes after <see cref="MakeRoomAsync"/> fits.</summary>
    public Span<byte> GetSpan(int sizeHint = 0) => _buffer.AsSpan(_count);

    public Memory<byte> GetMemory(int sizeHint = 0) => _buffer.AsMemory(_count);

    public void Advance(int count)
    {
        if (!_isDiscarding) _count = checked(_count + count);
    }

    /// <summary>From now on what is written is dropped; what was gathered goes at once, for those who still have a chance.</summary>
    public void Discard()
    {
        _isDiscarding = true;
        _count = 0;
        _writer?.Dispose();
        _writer = null;
        _budget.ReturnScratch(_scratchReserved);
        _scratchReserved = 0;
        TryResize(Window);
    }

    /// <summary>Makes room for <paramref name="octets"/> (at most a window); false when memory and disk are taken: 452.</summary>
    public ValueTask<bool> MakeRoomAsync(int octets, CancellationToken cancellationToken)
    {
        if (_buffer.Length - _count >= octets) return ValueTask.FromResult(true);
        if (_writer is null && _buffer.Length < MostInMemory && TryResize(Math.Min(MostInMemory, Math.Max(_buffer.Length * 2, _count + octets))) && _buffer.Length - _count >= octets)
            return ValueTask.FromResult(true);
        return SpillAsync(cancellationToken);
    }

    /// <summary>Ends the gathering; false when the disk has no room for the rest.</summary>
    public async ValueTask<bool> CompleteAsync(CancellationToken cancellationToken)
    {
        if (_writer is null)
        {
            _reader?.Invoke(_buffer.AsSpan(0, _count));
            return true;
        }

        if (_count > 0 && !await SpillAsync(cancellationToken)) return false;
        _scratch = _writer.Complete();
        return true;
    }

    public void Dispose()
    {
        _scratch?.Dispose();
        _writer?.Dispose();
        if (_buffer.Length > 0) ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
        _budget.ReturnMemory(_reserved);
        _budget.ReturnScratch(_scratchReserved);
        _reserved = 0;
        _scratchReserved = 0;
    }

    private async ValueTask<bool> SpillAsync(CancellationToken cancellationToken)
    {
        if (!_budget.TryTakeScratch(_count)) return false;
        _scratchReserved += _count;
        _writer ??= _folder.TryCreate();
        _reader?.Invoke(_buffer.AsSpan(0, _count));
        if (_writer is null || !await _writer.AppendAsync(_buffer.AsMemory(0, _count), cancellationToken)) return false;
        _count = 0;
        if (_buffer.Length > ScratchWindow) TryResize(ScratchWindow);
        return true;
    }

    private bool TryResize(int size)
    {
        // The pool hands out powers of two: what is reserved is what is taken.
        size = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)size);
        var more = size - _reserved;
        if (more > 0 && (size > ScratchWindow && _budget.IsTight || !_budget.TryTakeMemory(more))) return false;
        var larger = ArrayPool<byte>.Shared.Rent(size);
        _buffer.AsSpan(0, _count).CopyTo(larger);
        if (_buffer.Length > 0) ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
        if (more < 0) _budget.ReturnMemory(-more);
        _reserved = size;
        return true;
    }
}
