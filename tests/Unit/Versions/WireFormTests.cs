using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Angarium.Contracts.DomainQueues;
using Angarium.Grains;
using Angarium.Mail;
using Angarium.TestKit;
using Microsoft.Extensions.DependencyInjection;
using Orleans;
using Orleans.Serialization;

namespace Angarium.Unit.Versions;

/// <summary>
/// What crosses between processes of two versions: each record's octets as they were published, kept for good in `wire.golden`, one line a published form: alias, octets, values. Every line must still be read
/// as what was written; the form that this build writes must be among them. A changed record gets a further line (run with ANGARIUM_GOLDEN=write), never a changed one.
/// </summary>
public sealed class WireFormTests : IDisposable
{
    private static readonly string s_file = Repository.Path("tests", "Unit", "Versions", "wire.golden");
    private static readonly JsonSerializerOptions s_json = new() { IncludeFields = true };

    private readonly ServiceProvider _services = new ServiceCollection()
        .AddSerializer(serializer => serializer.AddAssembly(typeof(Offer).Assembly).AddAssembly(typeof(GrainsServices).Assembly)).BuildServiceProvider();

    public static TheoryData<string> Lines => [.. File.Exists(s_file) ? File.ReadLines(s_file) : []];

    public static TheoryData<string> Records => [.. Types.Keys];

    private static IReadOnlyDictionary<string, Type> Types { get; } = new[] { typeof(Offer).Assembly, typeof(GrainsServices).Assembly }
        .SelectMany(assembly => assembly.GetTypes())
        .Where(type => type.GetCustomAttribute<GenerateSerializerAttribute>() is not null && !type.Name.EndsWith("Surrogate", StringComparison.Ordinal) && !type.IsGenericType && !type.IsAbstract)
        .ToDictionary(type => type.GetCustomAttribute<AliasAttribute>()?.Alias ?? throw new InvalidOperationException($"{type} has no alias"));

    public void Dispose() => _services.Dispose();

    [Theory, MemberData(nameof(Lines))]
    public void Published_Form_IsReadAsWhatWasWritten(string line)
    {
        var (alias, octets, values) = line.Split(' ', 3) is [var a, var o, var v] ? (a, o, v) : throw new InvalidDataException(line);
        var read = _services.GetRequiredService<Serializer>().Deserialize<object>(Convert.FromHexString(octets));
        Assert.Equal(Types[alias], read!.GetType());
        AssertWithin(JsonNode.Parse(values)!, JsonNode.Parse(JsonSerializer.Serialize(read, read.GetType(), s_json))!, alias);
    }

    [Theory, MemberData(nameof(Records))]
    public void Record_AsWrittenNow_IsAPublishedForm(string alias)
    {
        var sample = Sample.Of(Types[alias]);
        var octets = Convert.ToHexStringLower(_services.GetRequiredService<Serializer>().SerializeToArray<object>(sample));
        var line = $"{alias} {octets} {JsonSerializer.Serialize(sample, sample.GetType(), s_json)}";
        if (File.Exists(s_file) && File.ReadLines(s_file).Any(l => l.StartsWith($"{alias} {octets} ", StringComparison.Ordinal))) return;
        if (Environment.GetEnvironmentVariable("ANGARIUM_GOLDEN") == "write")
        {
            File.AppendAllText(s_file, line + "\n");
            return;
        }

        Assert.Fail($"{alias} is written in a form that was never published; when that is meant, add the line (ANGARIUM_GOLDEN=write does):\n{line}");
    }

    [Fact]
    public void Published_Records_AreAllStillThere() => Assert.Empty(Lines.Select(l => l.Data.Split(' ')[0]).Except(Types.Keys));

    /// <summary>Whatever the published form said is still said; a field that came later has its default.</summary>
    private static void AssertWithin(JsonNode published, JsonNode read, string where)
    {
        switch (published)
        {
            case JsonObject fields:
                foreach (var (name, value) in fields)
                {
                    var now = read[name];
                    if (value is null) Assert.True(now is null, $"{where}.{name}");
                    else AssertWithin(value, now ?? throw new InvalidDataException($"{where}.{name} is gone"), $"{where}.{name}");
                }

                break;
            case JsonArray items:
                Assert.Equal(items.Count, read.AsArray().Count);
                for (var i = 0; i < items.Count; i++) AssertWithin(items[i]!, read[i]!, $"{where}[{i}]");
                break;
            default:
                Assert.True(published.ToJsonString() == read.ToJsonString(), $"{where}: {published.ToJsonString()} is read as {read.ToJsonString()}");
                break;
        }
    }

    /// <summary>An instance of any record with every property set, the same in every run.</summary>
    private static class Sample
    {
        public static object Of(Type type, int depth = 0)
        {
            type = Nullable.GetUnderlyingType(type) ?? type;
            if (type == typeof(string)) return "text" + depth.ToString(CultureInfo.InvariantCulture);
            if (type == typeof(bool)) return true;
            if (type == typeof(TimeSpan)) return TimeSpan.FromMilliseconds(1_234);
            if (type == typeof(RecipientKey)) return new RecipientKey(0x0102030405060708, 9, 10);
            if (type == typeof(StoreTime)) return new StoreTime(1_800_000_000_000);
            if (type == typeof(PackName)) return new PackName(PackKind.Moved, 11, 12);
            if (type == typeof(EntryPlace)) return new EntryPlace(new PackName(PackKind.Birth, 13, 14), 15, 16);
            if (type == typeof(EnhancedStatus)) return new EnhancedStatus(4, 7, 1);
            if (type == typeof(Reply)) return new Reply(451, new EnhancedStatus(4, 7, 1), "later");
            if (type.IsEnum) return Enum.GetValues(type).Cast<object>().Last();
            if (type.IsPrimitive) return Convert.ChangeType(17 + depth, type, CultureInfo.InvariantCulture);
            if (type.IsArray)
            {
                var array = Array.CreateInstance(type.GetElementType()!, 1);
                array.SetValue(Of(type.GetElementType()!, depth + 1), 0);
                return array;
            }

            Assert.False(type.IsAssignableTo(typeof(IEnumerable)), $"{type}: teach the sample this collection");
            var made = RuntimeHelpers.GetUninitializedObject(type);
            foreach (var property in type.GetProperties(BindingFlags.Instance | BindingFlags.Public).Where(p => p.GetCustomAttribute<IdAttribute>() is not null))
                property.SetValue(made, Of(property.PropertyType, depth + 1));
            return made;
        }
    }
}
