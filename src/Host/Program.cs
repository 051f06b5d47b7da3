using Angarium.Host.Configuration;
using Angarium.Host.Serving;

return await ServeCommand.RunAsync(SettingSources.OfProcess(null, args), CancellationToken.None);
