using Angarium.Mail;

namespace Angarium.Contracts.Serialization;

// Mail stays free of Orleans: its types cross grain calls through these. Aliases and ids are a wire contract: never reuse one.

/// <summary>A <see cref="RecipientKey"/> as it crosses between processes. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.RecipientKey")]
public struct RecipientKeySurrogate
{
    [Id(0)] public ulong Writer;
    [Id(1)] public uint Pack;
    [Id(2)] public ushort Ordinal;
}

/// <summary>Turns a <see cref="RecipientKey"/> into what crosses, and back. Called by the serializer on any thread; no state.</summary>
[RegisterConverter]
public sealed class RecipientKeyConverter : IConverter<RecipientKey, RecipientKeySurrogate>
{
    public RecipientKey ConvertFromSurrogate(in RecipientKeySurrogate surrogate) => new(surrogate.Writer, surrogate.Pack, surrogate.Ordinal);

    public RecipientKeySurrogate ConvertToSurrogate(in RecipientKey value) => new() { Writer = value.Writer, Pack = value.Pack, Ordinal = value.Ordinal };
}

/// <summary>A <see cref="StoreTime"/> as it crosses between processes. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.StoreTime")]
public struct StoreTimeSurrogate
{
    [Id(0)] public long Milliseconds;
}

/// <summary>Turns a <see cref="StoreTime"/> into what crosses, and back. Called by the serializer on any thread; no state.</summary>
[RegisterConverter]
public sealed class StoreTimeConverter : IConverter<StoreTime, StoreTimeSurrogate>
{
    public StoreTime ConvertFromSurrogate(in StoreTimeSurrogate surrogate) => new(surrogate.Milliseconds);

    public StoreTimeSurrogate ConvertToSurrogate(in StoreTime value) => new() { Milliseconds = value.Milliseconds };
}

/// <summary>A <see cref="PackName"/> as it crosses between processes. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.PackName")]
public struct PackNameSurrogate
{
    [Id(0)] public PackKind Kind;
    [Id(1)] public ulong Writer;
    [Id(2)] public uint Number;
}

/// <summary>Turns a <see cref="PackName"/> into what crosses, and back. Called by the serializer on any thread; no state.</summary>
[RegisterConverter]
public sealed class PackNameConverter : IConverter<PackName, PackNameSurrogate>
{
    public PackName ConvertFromSurrogate(in PackNameSurrogate surrogate) => new(surrogate.Kind, surrogate.Writer, surrogate.Number);

    public PackNameSurrogate ConvertToSurrogate(in PackName value) => new() { Kind = value.Kind, Writer = value.Writer, Number = value.Number };
}

/// <summary>A <see cref="EntryPlace"/> as it crosses between processes. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.EntryPlace")]
public struct EntryPlaceSurrogate
{
    [Id(0)] public PackName Pack;
    [Id(1)] public uint Offset;
    [Id(2)] public uint Length;
}

/// <summary>Turns a <see cref="EntryPlace"/> into what crosses, and back. Called by the serializer on any thread; no state.</summary>
[RegisterConverter]
public sealed class EntryPlaceConverter : IConverter<EntryPlace, EntryPlaceSurrogate>
{
    public EntryPlace ConvertFromSurrogate(in EntryPlaceSurrogate surrogate) => new(surrogate.Pack, surrogate.Offset, surrogate.Length);

    public EntryPlaceSurrogate ConvertToSurrogate(in EntryPlace value) => new() { Pack = value.Pack, Offset = value.Offset, Length = value.Length };
}

/// <summary>A <see cref="EnhancedStatus"/> as it crosses between processes. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.EnhancedStatus")]
public struct EnhancedStatusSurrogate
{
    [Id(0)] public byte Class;
    [Id(1)] public ushort Subject;
    [Id(2)] public ushort Detail;
}

/// <summary>Turns a <see cref="EnhancedStatus"/> into what crosses, and back. Called by the serializer on any thread; no state.</summary>
[RegisterConverter]
public sealed class EnhancedStatusConverter : IConverter<EnhancedStatus, EnhancedStatusSurrogate>
{
    public EnhancedStatus ConvertFromSurrogate(in EnhancedStatusSurrogate surrogate) => new(surrogate.Class, surrogate.Subject, surrogate.Detail);

    public EnhancedStatusSurrogate ConvertToSurrogate(in EnhancedStatus value) => new() { Class = value.Class, Subject = value.Subject, Detail = value.Detail };
}

/// <summary>A <see cref="Reply"/> as it crosses between processes. A value.</summary>
[GenerateSerializer, Immutable, Alias("angarium.Reply")]
public struct ReplySurrogate
{
    [Id(0)] public int Code;
    [Id(1)] public EnhancedStatus Status;
    [Id(2)] public string Text;
}

/// <summary>Turns a <see cref="Reply"/> into what crosses, and back. Called by the serializer on any thread; no state.</summary>
[RegisterConverter]
public sealed class ReplyConverter : IConverter<Reply, ReplySurrogate>
{
    public Reply ConvertFromSurrogate(in ReplySurrogate surrogate) => new(surrogate.Code, surrogate.Status, surrogate.Text);

    public ReplySurrogate ConvertToSurrogate(in Reply value) => new() { Code = value.Code, Status = value.Status, Text = value.Text };
}
