using Angarium.Spool.Documents;

namespace Angarium.Contract.Documents;

/// <summary>What every provider of documents promises.</summary>
public abstract class DocumentStoreContract
{
    private static readonly CancellationToken None = CancellationToken.None;

    /// <summary>The provider over what it stored before: a new process.</summary>
    protected abstract IDocumentStore Reopen();

    [Fact]
    public async Task Write_WithTheRightTagOnly_Replaces()
    {
        var store = Reopen();
        Assert.Null(await store.ReadAsync("control/a", None));
        Assert.Null(await store.WriteAsync("control/a", new byte[] { 1 }, "1", None));
        var first = await store.WriteAsync("control/a", new byte[] { 1 }, null, None);
        Assert.NotNull(first);
        Assert.Null(await store.WriteAsync("control/a", new byte[] { 2 }, null, None));
        var second = await store.WriteAsync("control/a", new byte[] { 3 }, first, None);
        Assert.Null(await store.WriteAsync("control/a", new byte[] { 4 }, first, None));
        foreach (var opened in new[] { store, Reopen() })
        {
            var read = await opened.ReadAsync("control/a", None);
            Assert.Equal((byte[])[3], read!.Content.ToArray());
            Assert.Equal(second, read.Tag);
        }
    }

    [Fact]
    public async Task Write_AfterADeletion_NeverRepeatsATag()
    {
        var store = Reopen();
        var first = await store.WriteAsync("a", new byte[] { 1 }, null, None);
        await store.DeleteAsync("a", None);
        await store.DeleteAsync("a", None);
        Assert.Null(await store.ReadAsync("a", None));
        Assert.NotEqual(first, await store.WriteAsync("a", new byte[] { 1 }, null, None));
    }

    [Fact]
    public async Task ReadIfChanged_SinceATag_ReadsWhatIsNew()
    {
        var store = Reopen();
        Assert.Equal(new DocumentRead(false, null), await store.ReadIfChangedAsync("control/a", null, None));
        var first = await store.WriteAsync("control/a", new byte[] { 1 }, null, None);
        var read = await store.ReadIfChangedAsync("control/a", null, None);
        Assert.Equal((true, first), (read.HasChanged, read.Document!.Tag));
        Assert.Equal((byte[])[1], read.Document.Content.ToArray());
        Assert.Equal(new DocumentRead(false, null), await Reopen().ReadIfChangedAsync("control/a", first, None));
        var second = await Reopen().WriteAsync("control/a", new byte[] { 2 }, first, None);
        Assert.Equal(second, (await store.ReadIfChangedAsync("control/a", first, None)).Document!.Tag);
        await Reopen().DeleteAsync("control/a", None);
        Assert.Equal(new DocumentRead(true, null), await store.ReadIfChangedAsync("control/a", second, None));
    }

    [Fact]
    public async Task Write_OfADocumentThatIsGone_ChangesNothing()
    {
        var store = Reopen();
        var tag = await store.WriteAsync("a", new byte[] { 1 }, null, None);
        await store.DeleteAsync("a", None);
        Assert.Null(await store.WriteAsync("a", new byte[] { 2 }, tag, None));
        Assert.Null(await store.ReadAsync("a", None));
    }

    [Fact]
    public async Task List_ByPrefix_IsSorted()
    {
        var store = Reopen();
        foreach (var name in new[] { "view/2", "control/b", "control/a", "pools/x/y" }) await store.WriteAsync(name, default, null, None);
        foreach (var opened in new[] { store, Reopen() })
        {
            Assert.Equal(["control/a", "control/b"], await opened.ListAsync("control/", None));
            Assert.Equal(4, (await opened.ListAsync("", None)).Count);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("../a")]
    [InlineData("a//b")]
    [InlineData("A")]
    public async Task Write_UnderAnImpossibleName_IsRefused(string name) =>
        await Assert.ThrowsAsync<ArgumentException>(() => Reopen().WriteAsync(name, default, null, None));
}
