using Angarium.Host.Serving;

namespace Angarium.Unit.Host;

public sealed class StartFailureTests
{
    [Fact]
    public void Explain_AWrappedFailure_SaysTheInnermost() =>
        Assert.Equal("no route", StartFailure.Explain(new InvalidOperationException("the lifecycle failed", new AggregateException(new IOException("no route")))));

    [Fact]
    public void Explain_OurOwnLine_IsThatAlone() =>
        Assert.Equal("Cluster:Id: set it", StartFailure.Explain(new AggregateException(new StartException("Cluster:Id: set it"))));

    [Fact]
    public void Explain_ACancelledCall_SaysWhatWasCancelled() =>
        Assert.Equal("the document was not read", StartFailure.Explain(new IOException("the document was not read", new TaskCanceledException("The operation was canceled."))));

    [Fact]
    public void Explain_WhatNobodyForesaw_NamesItsKindOnOneLine() =>
        Assert.Equal("first second (NotSupportedException; Log:Level=debug shows where)", StartFailure.Explain(new NotSupportedException("first\nsecond")));
}
