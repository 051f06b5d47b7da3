using System.Security.Cryptography;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Angarium.Contracts.Configuration;

namespace Angarium.Host.Configuration;

/// <summary>
/// Keeps the records in force equal to their sources: reads them again when the content of the file changes (looked at every two seconds, since a mounted
/// ConfigMap changes by a link that no watch reports reliably) or on SIGHUP. Takes over what may change, says what needs a restart; a bad file changes
/// nothing and gets one line. One reload at a time, on a pool thread; nothing survives a crash.
/// </summary>
internal sealed partial class LiveSettings : BackgroundService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(2);
    private readonly Lock _lock = new();
    private readonly SettingCatalog _catalog;
    private readonly SettingSources _sources;
    private readonly Dictionary<Type, ISettingsSlot> _slots = [];
    private string _seen;

    public LiveSettings(SettingCatalog catalog, SettingSources sources, BoundSettings bound)
    {
        _catalog = catalog;
        _sources = sources;
        _seen = Fingerprint();
        foreach (var (type, record) in bound.Records)
            _slots[type] = (ISettingsSlot)Activator.CreateInstance(typeof(Settings<>).MakeGenericType(type), record)!;
    }

    /// <summary>Set once logging runs.</summary>
    public ILogger Logger { get; set; } = NullLogger.Instance;

    public ISettings<T> Of<T>() where T : class => (ISettings<T>)_slots[typeof(T)];

    /// <summary>Registers every record as <see cref="ISettings{T}"/>.</summary>
    public void Register(IServiceCollection services)
    {
        foreach (var (type, slot) in _slots) services.AddSingleton(typeof(ISettings<>).MakeGenericType(type), slot);
    }

    /// <summary>Reads the sources again. False = they have mistakes, and nothing was changed.</summary>
    public bool Reload()
    {
        lock (_lock)
        {
            _seen = Fingerprint();
            var bound = SettingBinder.Bind(_catalog, _sources.Read());
            if (bound.Mistakes.Count > 0)
            {
                LogRefused(Logger, bound.Mistakes.Count, string.Join(" | ", bound.Mistakes.Take(5)));
                return false;
            }

            var taken = new SortedSet<string>(StringComparer.Ordinal);
            var waiting = new SortedSet<string>(StringComparer.Ordinal);
            foreach (var (type, slot) in _slots) Merge(type, slot, bound.Records[type], taken, waiting);
            if (taken.Count > 0) LogTaken(Logger, string.Join(", ", taken));
            if (waiting.Count > 0) LogNeedsRestart(Logger, string.Join(", ", waiting));
            return true;
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (_sources.File is null) return;
        using var timer = new PeriodicTimer(s_interval);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
                if (Fingerprint() != _seen) Reload();
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends.
        }
    }

    /// <summary>The new record, with the old values of what does not change without a restart.</summary>
    private void Merge(Type type, ISettingsSlot slot, object fresh, SortedSet<string> taken, SortedSet<string> waiting)
    {
        var changed = false;
        foreach (var definition in _catalog.Definitions.Where(definition => definition.Record == type))
        {
            var (before, after) = (definition.Property.GetValue(slot.Current), definition.Property.GetValue(fresh));
            if (Same(before, after)) continue;
            if (definition.Attribute.Reloads)
            {
                taken.Add(definition.Name);
                changed = true;
            }
            else
            {
                waiting.Add(definition.Name);
                definition.Property.SetValue(fresh, before);
            }
        }

        if (changed) slot.Take(fresh);
    }

    private static bool Same(object? before, object? after) => (before, after) switch
    {
        (IReadOnlyDictionary<string, string> a, IReadOnlyDictionary<string, string> b) =>
            a.Count == b.Count && a.All(pair => b.TryGetValue(pair.Key, out var other) && other == pair.Value),
        (IReadOnlyList<TimeSpan> a, IReadOnlyList<TimeSpan> b) => a.SequenceEqual(b),
        (IReadOnlyList<string> a, IReadOnlyList<string> b) => a.SequenceEqual(b),
        _ => Equals(before, after),
    };

    private string Fingerprint()
    {
        if (_sources.File is null) return "";
        try
        {
            using var stream = new FileStream(_sources.File, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return Convert.ToHexString(SHA256.HashData(stream));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e.GetType().Name;
        }
    }
}
