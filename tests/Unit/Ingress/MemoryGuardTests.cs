using Angarium.Contracts.Configuration;
using Angarium.Ingress;
using Angarium.Ingress.Content;
using Angarium.Ingress.Overload;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Angarium.Unit.Ingress;

/// <summary>When mail is refused for want of memory, and that it is taken again by itself.</summary>
public sealed class MemoryGuardTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly GatherBudget _content = new(1_600, 0);
    private long _used;
    private int _measured, _collected;
    private long _freedByCollection;

    [Fact]
    public void Refusal_AboveTheThreshold_ThenBelow_ComesAndGoes()
    {
        var guard = Guard();
        Assert.Null(Ask(guard, 849));
        Assert.Equal(451, Ask(guard, 851)!.Code);
        Assert.Equal(451, Ask(guard, 820)!.Code);
        Assert.Null(Ask(guard, 799));
        Assert.Null(Ask(guard, 849));
    }

    [Fact]
    public void Refusal_WhatACollectionFrees_IsNotRefusedFor()
    {
        var guard = Guard();
        _freedByCollection = 400;
        Assert.Null(Ask(guard, 900));
        Assert.Equal(1, _collected);
        _freedByCollection = 0;
        Assert.NotNull(Ask(guard, 900));
        Assert.Equal(1, _collected);
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.NotNull(guard.Refusal);
        Assert.Equal(2, _collected);
    }

    [Fact]
    public void Refusal_AskedOften_MeasuresOnceASecond()
    {
        var guard = Guard();
        for (var i = 0; i < 100; i++) Assert.Null(guard.Refusal);
        Assert.Equal(1, _measured);
    }

    [Fact]
    public void Refusal_ContentFillsItsMemory_UntilAFifthIsFree()
    {
        var guard = Guard();
        Assert.True(_content.TryTakeMemory(1_500));
        Assert.Null(Ask(guard, 100));
        Assert.True(_content.TryTakeMemory(1));
        Assert.Equal(451, Ask(guard, 100)!.Code);
        _content.ReturnMemory(220);
        Assert.Equal(451, Ask(guard, 100)!.Code);
        _content.ReturnMemory(1);
        Assert.Null(Ask(guard, 100));
        Assert.Equal(0, _collected);
    }

    private MemoryGuard Guard() => new(new FixedSettings<IngressOptions>(new IngressOptions()), _content, Measure, Collect, _time, NullLogger<MemoryGuard>.Instance);

    private Angarium.Mail.Reply? Ask(MemoryGuard guard, long used)
    {
        _used = used;
        _time.Advance(TimeSpan.FromSeconds(1));
        return guard.Refusal;
    }

    private MemoryUse Measure()
    {
        _measured++;
        return new MemoryUse(_used, 1_000);
    }

    private void Collect()
    {
        _collected++;
        _used -= _freedByCollection;
    }
}
