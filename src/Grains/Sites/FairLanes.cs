using System.Diagnostics.CodeAnalysis;
using Angarium.Grains.Index;

namespace Angarium.Grains.Sites;

/// <summary>
/// Who is next (design rule 22): tenant and class first, then the items of the lane in turn. The lane that holds the fewest comes first, among equals the one
/// served longest ago; so a lane with one item is served within one round, whatever the others have waiting. All in O(log lanes). Runs on its owner's turn;
/// nothing survives a crash.
/// </summary>
internal sealed class FairLanes<T> where T : class
{
    private readonly Dictionary<Lane, State> _lanes = [];
    private readonly SortedSet<State> _waiting = new(Comparer<State>.Create(static (a, b) => a.Held != b.Held ? a.Held.CompareTo(b.Held) : a.Turn.CompareTo(b.Turn)));
    private long _turn;

    /// <summary>Items that wait, each counted in every lane it is in.</summary>
    public int Count { get; private set; }

    public LinkedListNode<T> Add(Lane lane, T item)
    {
        var state = Find(lane);
        var node = state.Items.AddLast(item);
        if (state.Items.Count == 1) _waiting.Add(state);
        Count++;
        return node;
    }

    public void Remove(Lane lane, LinkedListNode<T> node)
    {
        var state = _lanes[lane];
        state.Items.Remove(node);
        Count--;
        if (state.Items.Count > 0) return;
        _waiting.Remove(state);
        Forget(state);
    }

    public bool TryPeek(out Lane lane, [MaybeNullWhen(false)] out T item)
    {
        if (_waiting.Min is { } first)
        {
            lane = first.Lane;
            item = first.Items.First!.Value;
            return true;
        }

        lane = default;
        item = null;
        return false;
    }

    /// <summary>The item that <see cref="TryPeek"/> showed was served: the lane holds one more, and both go to the end of their rounds.</summary>
    public void Charge(Lane lane)
    {
        var state = Find(lane);
        _waiting.Remove(state);
        state.Held++;
        state.Turn = ++_turn;
        if (state.Items.First is not { } first) return;
        state.Items.RemoveFirst();
        state.Items.AddLast(first);
        _waiting.Add(state);
    }

    /// <summary>The lane holds one more, without having waited for it.</summary>
    public void Hold(Lane lane)
    {
        var state = Find(lane);
        _waiting.Remove(state);
        state.Held++;
        if (state.Items.Count > 0) _waiting.Add(state);
    }

    public void Release(Lane lane)
    {
        var state = _lanes[lane];
        _waiting.Remove(state);
        state.Held--;
        if (state.Items.Count > 0) _waiting.Add(state);
        else Forget(state);
    }

    public int HeldBy(Lane lane) => _lanes.TryGetValue(lane, out var state) ? state.Held : 0;

    private State Find(Lane lane)
    {
        if (!_lanes.TryGetValue(lane, out var state)) _lanes[lane] = state = new State(lane) { Turn = ++_turn };
        return state;
    }

    private void Forget(State state)
    {
        if (state.Held == 0 && state.Items.Count == 0) _lanes.Remove(state.Lane);
    }

    private sealed class State(Lane lane)
    {
        public readonly Lane Lane = lane;
        public readonly LinkedList<T> Items = [];
        public int Held;
        public long Turn;
    }
}
