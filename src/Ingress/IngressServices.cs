using Angarium.Contracts.Admin;
using Angarium.Contracts.Configuration;
using Angarium.Contracts.Inbound;
using Angarium.Contracts.Intake;
using Angarium.Ingress.Content;
using Angarium.Ingress.HandOver;
using Angarium.Ingress.Inbound;
using Angarium.Ingress.Listening;
using Angarium.Ingress.Overload;
using Angarium.Ingress.Policy;
using Angarium.Ingress.Sessions;
using Angarium.Ingress.Submission;
using Angarium.Ingress.Tls;
using Angarium.Spool.Packs;
using Angarium.Spool.Time;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Angarium.Ingress;

/// <summary>How the process puts the ingress role in: its services, and its listeners on Kestrel.</summary>
public static class IngressServices
{
    /// <summary>
    /// Adds the role. Needs from elsewhere: <see cref="ISettings{T}"/> of <see cref="IngressOptions"/>, <see cref="ISpoolWriter"/>, <see cref="IScratchFolder"/>,
    /// <see cref="IStoreClock"/>, an Orleans grain factory, and any number of <see cref="IAdmission"/>. Gives: <see cref="ICommitListener"/> (the hand-over, to be told by
    /// the spool writer of this process), <see cref="OfferDispatcher"/>, <see cref="IIngressStatus"/>.
    /// </summary>
    public static IServiceCollection AddIngress(this IServiceCollection services)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddHandOver();
        services.AddSingleton(provider =>
        {
            var options = provider.GetRequiredService<ISettings<IngressOptions>>().Current;
            return new GatherBudget(Math.Min(options.MaxMemory, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2), options.MaxScratch);
        });
        services.AddSingleton(provider =>
        {
            var options = provider.GetRequiredService<ISettings<IngressOptions>>().Current;
            return new ServerCertificate(options.TlsCertificate, options.TlsKey, provider.GetRequiredService<ILogger<ServerCertificate>>(), provider.GetRequiredService<TimeProvider>());
        });
        services.AddSingleton(provider => new MemoryGuard(
            provider.GetRequiredService<ISettings<IngressOptions>>(), provider.GetRequiredService<GatherBudget>(), new WorkingSet().Read, static () => GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true),
            provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<MemoryGuard>>()));
        services.AddSingleton<IAdmission>(provider => provider.GetRequiredService<MemoryGuard>());
        services.AddSingleton<RelayPolicy>();
        services.AddSingleton<ConnectionRegistry>();
        services.AddSingleton<TenantAccounts>();
        services.AddSingleton<ITenantLogins, TenantLogins>();
        services.AddSingleton<LoginFailures>();
        services.AddSingleton<IMessageSigner, MessageSigner>();
        services.AddSingleton<Submissions>();
        services.AddSingleton<IInboundRecipients>(provider =>
        {
            var directory = provider.GetRequiredService<IGrainFactory>().GetGrain<IInboundDirectory>(0);
            return new InboundRecipients(directory.Judge, provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<InboundRecipients>>());
        });
        services.AddSingleton(provider => new Admission(provider.GetServices<IAdmission>(), provider.GetRequiredService<OfferDispatcher>()));
        services.AddSingleton<IMessageIntake, MessageIntake>();
        services.AddSingleton(provider => ActivatorUtilities.CreateInstance<SmtpServer>(
            provider, provider.GetRequiredService<Admission>()));
        services.AddSingleton<IngressService>();
        services.AddSingleton<IIngressStatus>(provider => provider.GetRequiredService<IngressService>());
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<IngressService>());
        return services;
    }

    /// <summary>The hand-over alone, for a process without the role that commits mail too: silos commit notices.</summary>
    public static IServiceCollection AddHandOver(this IServiceCollection services)
    {
        services.TryAddSingleton(provider => new OfferDispatcher(provider.GetRequiredService<IGrainFactory>(), () => provider.GetRequiredService<IStoreClock>().Now, provider.GetRequiredService<ILogger<OfferDispatcher>>()));
        services.TryAddSingleton<ICommitListener, CommitHandOver>();
        return services;
    }

    /// <summary>The listeners that the settings ask for; they have been validated.</summary>
    public static IEnumerable<SmtpListener> Listeners(this IngressOptions options)
    {
        foreach (var (setting, entries, implicitTls, isSubmission) in new[]
                 {
                     ("Ingress:Smtp:Listen", options.SmtpListen, false, false), ("Ingress:Smtps:Listen", options.SmtpsListen, true, false),
                     ("Ingress:Submission:Listen", options.SubmissionListen, false, true), ("Ingress:Submissions:Listen", options.SubmissionsListen, true, true),
                 })
        {
            foreach (var text in entries)
                if (ListenAddress.TryParse(text, out var endPoint)) yield return new SmtpListener(setting, endPoint, implicitTls, isSubmission);
        }
    }

    /// <summary>Serves SMTP on one listener. Nothing else is served there.</summary>
    public static ListenOptions UseSmtp(this ListenOptions listen, bool implicitTls, bool isSubmission)
    {
        var services = listen.ApplicationServices;
        SmtpServer? server = null;
        listen.Run(connection => SmtpConnectionHandler.RunAsync(server ??= services.GetRequiredService<SmtpServer>(), connection, implicitTls, isSubmission));
        return listen;
    }
}
