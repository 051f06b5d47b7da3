using Angarium.Host.Commands;

return await CommandLine.RunAsync(args);
