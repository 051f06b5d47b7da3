using System.Runtime.CompilerServices;

// Doubles of the stores' internal seams are internal themselves.
[assembly: InternalsVisibleTo("Angarium.Unit")]
[assembly: InternalsVisibleTo("Angarium.Contract")]
[assembly: InternalsVisibleTo("Angarium.Simulation")]
