using Angarium.Grains.Index;
using Angarium.Mail;
using CsCheck;

namespace Angarium.Unit.Grains.Index;

/// <summary>Rows of a lane against the plainest thing that could hold them, through growth, splits, merges and shrinking.</summary>
public sealed class LaneRowsTests
{
    private static IndexMember Member(int n) => new(new RecipientKey(7, (uint)(n / 3), (ushort)(n % 3)), (uint)n, (uint)n + 1, (ushort)(n % 2));

    /// <summary>Each step is a key and a score to put it at; a score below zero removes it.</summary>
    [Fact]
    public void PutAndRemove_Anything_AreAsInASortedTable() =>
        Gen.Select(Gen.Int[0, 2_000], Gen.Int[-3, 12]).Array[0, 4_000].Sample(steps =>
        {
            var rows = new LaneRows();
            var model = new Dictionary<RecipientKey, (long Score, IndexMember Member)>();
            foreach (var (n, score) in steps)
            {
                var member = Member(n);
                if (score < 0) Assert.Equal(model.Remove(member.Key), rows.Remove(member.Key));
                else
                {
                    Assert.Equal(model.TryAdd(member.Key, (score, member)), rows.Put(score, member));
                    model[member.Key] = (score, member);
                }

                Assert.Equal(model.Count, rows.Count);
            }

            var sorted = model.Values.OrderBy(r => r.Score).ThenBy(r => r.Member.Key).ToList();
            Assert.Equal(sorted, rows.From(long.MinValue));
            for (var from = 0; from <= 13; from++) Assert.Equal(sorted.Where(r => r.Score >= from), rows.From(from));
            foreach (var n in Enumerable.Range(0, 2_001)) Assert.Equal(model.TryGetValue(Member(n).Key, out var known) ? known.Score : null, rows.Find(Member(n).Key));
            if (sorted.Count > 0) Assert.Equal(sorted[0].Score, rows.Earliest);
        }, iter: 200);

    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    public void PutInOrder_ManyThenRemoveThem_IsEmptyAgain(int direction)
    {
        var rows = new LaneRows();
        for (var n = 0; n < 20_000; n++) Assert.True(rows.Put(direction * n, Member(n)));
        Assert.Equal(Enumerable.Range(0, 20_000).Select(n => (long)direction * n).Order(), rows.From(long.MinValue).Select(r => r.Score));
        for (var n = 0; n < 20_000; n++) Assert.True(rows.Remove(Member(n * 7 % 20_000).Key));
        Assert.Equal(0, rows.Count);
        Assert.Empty(rows.From(long.MinValue));
        Assert.True(rows.Put(5, Member(1)));
        Assert.Equal(5, rows.Earliest);
    }
}
